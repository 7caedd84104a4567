import type { IncomingMessage, Server, ServerResponse } from "node:http";
import next from "next";

export type Pages = {
  handle(req: IncomingMessage, res: ServerResponse): Promise<void>;
  close(): Promise<void>;
};

/** Next as a view. It hears upgrades on the decoy alone, since its own listener would close sockets that are not its own. */
export async function openPages(options: { appDir: string; isDev: boolean; decoy: Server }): Promise<Pages> {
  const { appDir, isDev, decoy } = options;
  const app = next({ dir: appDir, dev: isDev, httpServer: decoy, quiet: !isDev });
  await app.prepare();
  const handle = app.getRequestHandler();
  return { handle: (req, res) => handle(req, res), close: () => app.close() };
}
