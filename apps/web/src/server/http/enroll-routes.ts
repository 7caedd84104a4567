/**
 * Enrolment over plain HTTP, before a node has a key:
 *   GET  /api/enroll/challenge?token=<id>&nonce=<base64url>   (or node=<id>, for a goodbye)
 *   POST /api/enroll
 *   POST /api/enroll/goodbye
 * Refusals are `{ error: { code, message, retryAfterMs } }`. Anyone may ask, so each address has a limit, and the body too.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { ERROR_TABLE, NexusError } from "@nexus/shared/errors";
import {
  ENROLL_BODY_BYTES_MAX,
  enrollRequestSchema,
  goodbyeRequestSchema,
} from "@nexus/shared/protocol/enroll-messages";
import { createAttemptLimit } from "../api/http/attempt-limit.ts";
import { readBody } from "../api/http/read-json.ts";
import { sendJson } from "../api/http/send-json.ts";
import type { Enrollment } from "../services/enrollment.ts";

/** A rack behind one address may enrol at once; a guesser gets nowhere at this rate against 50 bits. */
const TRIES_PER_MINUTE = 240;
const ID = /^[a-z]{1,3}_[0-9a-z]{1,32}$/;
const NONCE = /^[A-Za-z0-9_-]{16,128}$/;

export type EnrollRoutesOptions = {
  enrollment: Pick<Enrollment, "challenge" | "enroll" | "leave">;
  nowMs(): number;
  /** A failure of ours that a caller met. */
  onInternalError(error: unknown): void;
  /** The caller's address, where a proxy stands in front. */
  addressOf?: (request: IncomingMessage) => string;
  triesPerMinute?: number;
};

export type RouteHandler = (request: IncomingMessage, response: ServerResponse) => Promise<boolean>;

/** @returns a handler that answers true when the request was its own. */
export function createEnrollRoutes(options: EnrollRoutesOptions): RouteHandler {
  const { enrollment, nowMs } = options;
  const addressOf = options.addressOf ?? ((request) => request.socket.remoteAddress ?? "?");
  const limit = createAttemptLimit({
    triesMax: options.triesPerMinute ?? TRIES_PER_MINUTE,
    windowMs: 60_000,
  });

  const routes: Record<string, (request: IncomingMessage, url: URL) => Promise<unknown>> = {
    "GET /api/enroll/challenge": async (_request, url) => {
      const subject = url.searchParams.get("token") ?? url.searchParams.get("node") ?? "";
      const agentNonce = url.searchParams.get("nonce") ?? "";
      if (!ID.test(subject) || !NONCE.test(agentNonce)) throw new NexusError("bad_request");
      return enrollment.challenge({ subject, agentNonce });
    },
    "POST /api/enroll": async (request) =>
      await enrollment.enroll(parse(enrollRequestSchema, await readBody(request, ENROLL_BODY_BYTES_MAX))),
    "POST /api/enroll/goodbye": async (request) => {
      await enrollment.leave(parse(goodbyeRequestSchema, await readBody(request, ENROLL_BODY_BYTES_MAX)));
      return { ok: true };
    },
  };

  return async (request, response) => {
    // A path that is no path (`//`) is none of ours.
    const url = URL.parse(request.url ?? "/", "http://host.invalid");
    const route = url === null ? undefined : routes[`${request.method} ${url.pathname}`];
    if (url === null || route === undefined) return false;
    try {
      const retryAfterMs = limit.take(addressOf(request), nowMs());
      if (retryAfterMs > 0) throw new NexusError("rate_limited", { retryAfterMs });
      sendJson(response, 200, await route(request, url));
    } catch (error) {
      if (!(error instanceof NexusError)) options.onInternalError(error);
      const refusal = error instanceof NexusError ? error : new NexusError("unavailable", { cause: error });
      sendError(response, refusal);
    }
    return true;
  };
}

type Schema<T> = { safeParse(value: unknown): { success: true; data: T } | { success: false } };

function parse<T>(schema: Schema<T>, body: unknown): T {
  const parsed = schema.safeParse(body);
  if (!parsed.success) {
    throw new NexusError("bad_request", {
      detail: "The request is not in the agreed form. Update nexus-agent.",
    });
  }
  return parsed.data;
}

function sendError(response: ServerResponse, refusal: NexusError): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const retryAfterMs = refusal.retryAfterMs ?? null;
  if (retryAfterMs !== null) response.setHeader("retry-after", Math.ceil(retryAfterMs / 1000));
  // Whatever of the body was not read is not waited for.
  if (refusal.code === "too_large") response.setHeader("connection", "close");
  sendJson(response, ERROR_TABLE[refusal.code].http, {
    error: { code: refusal.code, message: refusal.message, retryAfterMs },
  });
}
