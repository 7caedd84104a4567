/**
 * The one table of refusals. A code is stable and clients branch on it; the sentence is for people and may change.
 * `exit` is the exit code of the `nexus` command (sysexits where one fits).
 */
export const ERROR_TABLE = {
  bad_request: { http: 400, trpc: "BAD_REQUEST", exit: 64, text: "The request is not valid." },
  unauthenticated: { http: 401, trpc: "UNAUTHORIZED", exit: 77, text: "You are not signed in." },
  forbidden: { http: 403, trpc: "FORBIDDEN", exit: 77, text: "Your role does not allow this." },
  not_found: { http: 404, trpc: "NOT_FOUND", exit: 66, text: "There is no such thing here." },
  conflict: { http: 409, trpc: "CONFLICT", exit: 75, text: "It changed meanwhile or is taken." },
  invalid_state: { http: 409, trpc: "CONFLICT", exit: 65, text: "Its state does not allow this." },
  too_large: { http: 413, trpc: "PAYLOAD_TOO_LARGE", exit: 65, text: "It is larger than the limit." },
  rate_limited: { http: 429, trpc: "TOO_MANY_REQUESTS", exit: 75, text: "Too many requests." },
  unsatisfiable: {
    http: 422,
    trpc: "UNPROCESSABLE_CONTENT",
    exit: 65,
    text: "No target could ever run this.",
  },
  target_busy: { http: 409, trpc: "CONFLICT", exit: 75, text: "The target cannot start it now." },
  target_offline: { http: 409, trpc: "CONFLICT", exit: 69, text: "The target is not connected." },
  token_unknown: {
    http: 401,
    trpc: "UNAUTHORIZED",
    exit: 77,
    text: "This enrolment token is not known here.",
  },
  token_malformed: { http: 400, trpc: "BAD_REQUEST", exit: 65, text: "This enrolment token is damaged." },
  token_used: { http: 409, trpc: "CONFLICT", exit: 77, text: "This enrolment token is used up." },
  token_expired: { http: 410, trpc: "CONFLICT", exit: 77, text: "This enrolment token has expired." },
  token_revoked: { http: 410, trpc: "CONFLICT", exit: 77, text: "This enrolment token was revoked." },
  pin_mismatch: {
    http: 495,
    trpc: "UNAUTHORIZED",
    exit: 77,
    text: "The server is not the one that was pinned.",
  },
  signature_invalid: { http: 401, trpc: "UNAUTHORIZED", exit: 77, text: "The signature does not verify." },
  node_revoked: { http: 403, trpc: "FORBIDDEN", exit: 78, text: "This node was removed from the fleet." },
  node_cloned: { http: 409, trpc: "CONFLICT", exit: 78, text: "Another copy of this node's disk is in use." },
  needs_update: {
    http: 426,
    trpc: "BAD_REQUEST",
    exit: 78,
    text: "The versions do not speak to each other.",
  },
  protocol_error: { http: 400, trpc: "BAD_REQUEST", exit: 76, text: "The peer broke the protocol." },
  disk_full: { http: 507, trpc: "INTERNAL_SERVER_ERROR", exit: 74, text: "The disk is full." },
  unavailable: {
    http: 503,
    trpc: "SERVICE_UNAVAILABLE",
    exit: 69,
    text: "The control plane cannot answer now.",
  },
  internal: { http: 500, trpc: "INTERNAL_SERVER_ERROR", exit: 70, text: "Something broke on our side." },
} as const satisfies Record<string, { http: number; trpc: string; exit: number; text: string }>;

export type ErrorCode = keyof typeof ERROR_TABLE;

export type NexusErrorOptions = {
  /** What happened, to which id, and what to do next. Shown to people as it is. */
  detail?: string | undefined;
  cause?: unknown;
  retryAfterMs?: number | undefined;
};

/** A refusal: the caller may read it. Bugs use `assert`; failures of the world keep their own class with a `cause`. */
export class NexusError extends Error {
  readonly code: ErrorCode;
  readonly retryAfterMs: number | undefined;

  constructor(code: ErrorCode, options: NexusErrorOptions = {}) {
    super(options.detail ?? ERROR_TABLE[code].text, { cause: options.cause });
    this.name = "NexusError";
    this.code = code;
    this.retryAfterMs = options.retryAfterMs;
  }
}

export function isErrorCode(value: unknown): value is ErrorCode {
  return typeof value === "string" && Object.hasOwn(ERROR_TABLE, value);
}
