/**
 * Who answers on the port. Node accepts connections from the first moment of listening, also while there is nothing behind it.
 * States: away (starting, standing by, or between two terms) ⇄ open. Away it answers everything at once and holds nobody:
 * `/healthz` says that the process lives, all else that it is to come again, and why. Agents and browsers come back by themselves.
 */
import type { IncomingMessage, RequestListener, Server, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { rejectUpgrade, type UpgradeHandler } from "../gateway/upgrade.ts";

export type Gate = {
  open(parts: { request: RequestListener; upgrade: UpgradeHandler }): void;
  /** @param message one sentence for people. */
  turnAway(message: string): void;
};

const RETRY_AFTER_MS = 500;
const STARTING = "The control plane is starting.";

export function createGate(server: Server): Gate {
  let message = STARTING;
  let parts: Parameters<Gate["open"]>[0] | null = null;
  server.on("request", (req, res) => {
    if (parts) parts.request(req, res);
    else answerAway(req, res, message);
  });
  server.on("upgrade", (req: IncomingMessage, socket: Duplex, head: Buffer) => {
    if (parts) return parts.upgrade(req, socket, head);
    // A peer that resets its socket meanwhile must not end the process.
    socket.on("error", () => socket.destroy());
    rejectUpgrade(socket, { status: 503, message, retryAfterMs: RETRY_AFTER_MS });
  });
  return {
    open(given) {
      parts = given;
    },
    turnAway(why) {
      parts = null;
      message = why;
    },
  };
}

function answerAway(req: IncomingMessage, res: ServerResponse, message: string): void {
  const path = (req.url ?? "/").split("?", 1)[0] ?? "/";
  if (path === "/healthz") {
    res.writeHead(200, { "content-type": "application/json", "cache-control": "no-store" });
    res.end(JSON.stringify({ ok: true }));
    return;
  }
  const isPage = !path.startsWith("/api/") && (req.headers.accept ?? "").includes("text/html");
  res.writeHead(503, {
    "content-type": isPage ? "text/html; charset=utf-8" : "application/json",
    "cache-control": "no-store",
    "retry-after": "1",
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'",
    // A body that nobody reads is not waited for.
    connection: "close",
  });
  res.end(isPage ? pageOf(message) : JSON.stringify(refusalOf(path, message)));
}

/** The fields that a page, the command line and an agent each read of a refusal. */
function refusalOf(path: string, message: string): object {
  if (path === "/readyz") return { ready: false, message };
  const code = "unavailable";
  const data = { code: "SERVICE_UNAVAILABLE", nexusCode: code, retryAfterMs: RETRY_AFTER_MS };
  return { error: { code, message, retryAfterMs: RETRY_AFTER_MS, data } };
}

function pageOf(message: string): string {
  const text = message.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="3">
<meta name="viewport" content="width=device-width"><title>Nexus</title>
<style>body{font:16px/1.5 system-ui,sans-serif;margin:15vh auto;max-width:36rem;padding:0 1rem;color-scheme:light dark}</style>
</head><body><h1>Nexus</h1><p>${text}</p><p>This page looks again by itself.</p></body></html>
`;
}
