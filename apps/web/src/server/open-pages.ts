import type { IncomingMessage, Server, ServerResponse } from "node:http";
import next from "next";

export type Pages = {
  /** Content-Security-Policy. Next's own scripts and our theme switch stand inline; nothing comes from elsewhere. */
  policy: string;
  handle(req: IncomingMessage, res: ServerResponse): Promise<void>;
  close(): Promise<void>;
};

/** Next as a view. It hears upgrades on the decoy alone, since its own listener would close sockets that are not its own. */
export async function openPages(options: { appDir: string; isDev: boolean; decoy: Server }): Promise<Pages> {
  const { appDir, isDev, decoy } = options;
  const app = next({ dir: appDir, dev: isDev, httpServer: decoy, quiet: !isDev });
  await app.prepare();
  const handle = app.getRequestHandler();
  const scripts = `script-src 'self' 'unsafe-inline'${isDev ? " 'unsafe-eval'" : ""}`;
  const policy = [
    "default-src 'self'",
    scripts,
    "style-src 'self' 'unsafe-inline'",
    "img-src 'self' data:",
    "font-src 'self' data:",
    "connect-src 'self' ws: wss:",
    "object-src 'none'",
    "base-uri 'self'",
    "form-action 'self'",
    "frame-ancestors 'none'",
  ].join("; ");
  return { policy, handle: (req, res) => handle(req, res), close: () => app.close() };
}
