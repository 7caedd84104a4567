/**
 * The order in which a request is offered around: health, API, enrolment, and last the pages. Everything that answers before
 * Next does so on the same port; a request that fails unforeseen is answered and logged, and never ends the process.
 */

import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { sendJson } from "../api/http/send-json.ts";
import type { Log } from "../logger/create-logger.ts";
import type { AgentPackage } from "./agent-package.ts";
import type { RouteHandler } from "./enroll-routes.ts";

export type HttpParts = {
  api: (req: IncomingMessage, res: ServerResponse) => boolean;
  enroll: RouteHandler;
  agentPackage: Pick<AgentPackage, "handle"> | null;
  pages: (req: IncomingMessage, res: ServerResponse) => Promise<void>;
  /** Whether the database answers and the services run. */
  isReady: () => Promise<boolean>;
  /** Codes of what is wrong while it serves, for whoever watches it. */
  problems: () => string[];
  version: string;
  /** What a page of ours may load and run. */
  pagePolicy: string;
  log: Log;
};

export function serveHttp(parts: HttpParts): RequestListener {
  return (req, res) => {
    res.setHeader("x-content-type-options", "nosniff");
    res.setHeader("x-frame-options", "DENY");
    res.setHeader("referrer-policy", "same-origin");
    res.setHeader("content-security-policy", parts.pagePolicy);
    answer(parts, req, res).catch((cause: unknown) => {
      parts.log("error", "request failed", { path: pathOf(req), cause: String(cause) });
      if (!res.headersSent) res.writeHead(500, { "content-type": "text/plain" });
      res.end("Something broke on our side.\n");
    });
  };
}

async function answer(parts: HttpParts, req: IncomingMessage, res: ServerResponse): Promise<void> {
  switch (pathOf(req)) {
    case "/healthz":
      return sendJson(res, 200, { ok: true });
    case "/readyz": {
      const ready = await parts.isReady();
      return sendJson(res, ready ? 200 : 503, { ready, problems: parts.problems() });
    }
    case "/api/v1/version":
      return sendJson(res, 200, { version: parts.version });
  }
  if (parts.agentPackage?.handle(req, res)) return;
  if (parts.api(req, res) || (await parts.enroll(req, res))) return;
  if (pathOf(req).startsWith("/api/") || pathOf(req).startsWith("/ws/")) {
    return sendJson(res, 404, { error: { code: "not_found", message: `There is no ${pathOf(req)} here.` } });
  }
  await parts.pages(req, res);
}

function pathOf(req: IncomingMessage): string {
  return (req.url ?? "/").split("?", 1)[0] ?? "/";
}
