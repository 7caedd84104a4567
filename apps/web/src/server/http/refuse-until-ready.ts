/**
 * Answers whoever comes between the first moment of listening and readiness: Node accepts connections at once, and a request
 * that nobody listens for would wait for ever. Agents come back within a second, browsers reload.
 */
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { rejectUpgrade } from "../gateway/upgrade.ts";

const RETRY_AFTER_MS = 500;
const MESSAGE = "The control plane is starting.";

/** @returns ends it: from then on others answer. */
export function refuseUntilReady(server: Server): () => void {
  const onRequest = (_req: IncomingMessage, res: ServerResponse) => {
    res.writeHead(503, { "content-type": "text/plain", "retry-after": "1", connection: "close" });
    res.end(`${MESSAGE}\n`);
  };
  const onUpgrade = (_req: IncomingMessage, socket: Duplex) => {
    socket.on("error", () => socket.destroy());
    rejectUpgrade(socket, { status: 503, message: MESSAGE, retryAfterMs: RETRY_AFTER_MS });
  };
  server.on("request", onRequest);
  server.on("upgrade", onUpgrade);
  return () => {
    server.off("request", onRequest);
    server.off("upgrade", onUpgrade);
  };
}
