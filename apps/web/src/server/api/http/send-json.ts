import type { ServerResponse } from "node:http";
import { ERROR_TABLE, type NexusError } from "@nexus/shared/errors";

export function sendJson(res: ServerResponse, status: number, body: unknown): void {
  res.writeHead(status, {
    "content-type": "application/json; charset=utf-8",
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
  });
  res.end(JSON.stringify(body));
}

/** The same fields as a tRPC error: `{ error: { message, data: { nexusCode, retryAfterMs? } } }`. */
export function sendRefusal(res: ServerResponse, refusal: NexusError): void {
  if (res.headersSent) {
    res.destroy();
    return;
  }
  const { code: nexusCode, retryAfterMs, message } = refusal;
  if (retryAfterMs !== undefined) res.setHeader("retry-after", Math.ceil(retryAfterMs / 1000));
  const { http, trpc: code } = ERROR_TABLE[nexusCode];
  const data = retryAfterMs === undefined ? { code, nexusCode } : { code, nexusCode, retryAfterMs };
  sendJson(res, http, { error: { message, data } });
}
