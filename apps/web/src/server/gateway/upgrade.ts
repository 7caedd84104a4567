/**
 * The only listener for HTTP upgrades. Three paths are ours; whatever else asks gets Next's own listener in development
 * (handed in as a decoy server that never listens), or a closed socket. Nobody is accepted by being first in a list.
 */
import type { EventEmitter } from "node:events";
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";

export type UpgradeHandler = (request: IncomingMessage, socket: Duplex, head: Buffer) => void;

export type UpgradeRoutes = {
  /** `/ws/agent` */
  agent: UpgradeHandler;
  /** `/ws/ui`; checks itself who asks and from which page. */
  ui: UpgradeHandler | null;
  /** `/ws/tunnel`; checks itself who asks. */
  tunnel?: UpgradeHandler;
  /** Gets what is not ours as its own `upgrade` event. */
  decoy: EventEmitter | null;
};

const AGENT_PATH = "/ws/agent";
const UI_PATH = "/ws/ui";
const TUNNEL_PATH = "/ws/tunnel";

export function routeUpgrade(routes: UpgradeRoutes): UpgradeHandler {
  return (request, socket, head) => {
    // A peer that resets its socket while we decide must not end the process.
    socket.on("error", () => socket.destroy());
    const path = (request.url ?? "").split("?", 1)[0];
    if (path === AGENT_PATH) {
      // Agents are no browsers: a page that tries the link from somebody's machine is turned away.
      if (request.headers.origin !== undefined)
        rejectUpgrade(socket, { status: 403, message: "Not for browsers." });
      else routes.agent(request, socket, head);
    } else if (path === UI_PATH && routes.ui !== null) {
      routes.ui(request, socket, head);
    } else if (path === TUNNEL_PATH && routes.tunnel !== undefined) {
      routes.tunnel(request, socket, head);
    } else if (routes.decoy !== null && routes.decoy.listenerCount("upgrade") > 0) {
      routes.decoy.emit("upgrade", request, socket, head);
    } else {
      socket.destroy();
    }
  };
}

const STATUS_TEXT: Record<number, string> = { 403: "Forbidden", 503: "Service Unavailable" };

export function rejectUpgrade(
  socket: Duplex,
  answer: { status: number; message: string; retryAfterMs?: number },
): void {
  const { status, message, retryAfterMs } = answer;
  const body = JSON.stringify({
    error: {
      code: status === 403 ? "forbidden" : "unavailable",
      message,
      retryAfterMs: retryAfterMs ?? null,
    },
  });
  const retry = retryAfterMs === undefined ? "" : `retry-after: ${Math.ceil(retryAfterMs / 1000)}\r\n`;
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_TEXT[status]}\r\ncontent-type: application/json\r\n${retry}content-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
  );
}
