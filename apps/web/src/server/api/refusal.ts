import { randomBytes } from "node:crypto";
import type { ErrorData } from "@nexus/shared/api/contract";
import { ERROR_TABLE, type ErrorCode, NexusError } from "@nexus/shared/errors";
import { newId } from "@nexus/shared/ids";
import { TRPCError } from "@trpc/server";
import * as z from "zod";
import { isDatabaseAway } from "../core/is-database-away.ts";
import { isDiskFull } from "../core/is-disk-full.ts";

const PROBLEMS_SHOWN_MAX = 5;
/** What an embedded database takes to come back after a crash. */
const DATABASE_BACK_MS = 1_000;

const CODE_OF_TRPC: Partial<Record<TRPCError["code"], ErrorCode>> = {
  BAD_REQUEST: "bad_request",
  PARSE_ERROR: "bad_request",
  METHOD_NOT_SUPPORTED: "bad_request",
  UNSUPPORTED_MEDIA_TYPE: "bad_request",
  PAYLOAD_TOO_LARGE: "too_large",
  NOT_FOUND: "not_found",
};

type RefusalParts = {
  /** Gets what is our own fault. */
  onInternalError(id: string, cause: unknown): void;
  services: { problems(): { code: string; message: string }[] };
};

/** Everything that a procedure can throw, as the one class that the API answers with. */
export function toTrpcError(thrown: unknown, parts: RefusalParts): TRPCError {
  const refusal = toRefusal(thrown, parts);
  return new TRPCError({ code: ERROR_TABLE[refusal.code].trpc, message: refusal.message, cause: refusal });
}

export function toRefusal(thrown: unknown, parts: RefusalParts): NexusError {
  const { onInternalError: report } = parts;
  const noRoom = refusalOfFullDisk(thrown, parts);
  if (noRoom) {
    report(newId("event", randomBytes), withoutParameters(thrown));
    return noRoom;
  }
  if (thrown instanceof NexusError) return thrown;
  if (thrown instanceof TRPCError) {
    if (thrown.cause instanceof NexusError) return thrown.cause;
    const code = CODE_OF_TRPC[thrown.code];
    if (code) return new NexusError(code, { detail: trpcSentence(thrown) });
  }
  const id = newId("event", randomBytes);
  if (isDatabaseAway(thrown)) {
    report(id, withoutParameters(thrown));
    return new NexusError("unavailable", {
      detail: "The database does not answer just now, so it is not known what became of this. Ask again.",
      retryAfterMs: DATABASE_BACK_MS,
    });
  }
  report(id, withoutParameters(thrown instanceof TRPCError && thrown.cause ? thrown.cause : thrown));
  return new NexusError("internal", {
    detail: `Something broke on our side (${id}). The server's log says more under this id.`,
  });
}

/** A failed statement carries its parameters, and they carry what people entrusted to us: the environment of a job, a key's hash. */
function withoutParameters(thrown: unknown): unknown {
  if (!(thrown instanceof Error) || !("query" in thrown) || !("params" in thrown)) return thrown;
  const why = thrown.cause instanceof Error ? thrown.cause.message : "unknown";
  const safe = new Error(`a statement failed: ${why}: ${String(thrown.query)}`);
  const frames = thrown.stack?.split("\n").filter((line) => line.startsWith("    at ")) ?? [];
  safe.stack = [safe.message, ...frames].join("\n");
  return safe;
}

/** A full disk shows in many ways, also as a database that lets nobody in: whoever asks is told the one thing to mend. */
function refusalOfFullDisk(thrown: unknown, { services }: RefusalParts): NexusError | null {
  const cause = thrown instanceof TRPCError && thrown.cause ? thrown.cause : thrown;
  const isUnavailable = cause instanceof NexusError && cause.code === "unavailable";
  if (cause instanceof NexusError && !isUnavailable) return null;
  const isFull = isDiskFull(cause);
  const isUnexplained = isUnavailable && cause.message === ERROR_TABLE.unavailable.text;
  if (!isFull && !isUnexplained && !isDatabaseAway(cause)) return null;
  const own = services.problems().find(({ code }) => code === "disk_full");
  if (!own && !isFull) return null;
  const detail = own?.message ?? "The disk of the control plane's database is full; free space there.";
  return new NexusError("disk_full", { detail, cause });
}

/** What a client reads of an error; never a stack, never a cause. */
export function errorData(error: TRPCError): ErrorData {
  const { cause, code } = error;
  if (!(cause instanceof NexusError)) return { code, nexusCode: CODE_OF_TRPC[code] ?? "internal" };
  const { code: nexusCode, retryAfterMs } = cause;
  return retryAfterMs === undefined ? { code, nexusCode } : { code, nexusCode, retryAfterMs };
}

/** `jobs[0].command: a job needs a command`. */
export function inputSentence(error: z.ZodError): string {
  const sentences = error.issues.map((issue) => {
    const place = z.core.toDotPath(issue.path);
    return `${place === "" ? "input" : place}: ${issue.message}`;
  });
  const rest = sentences.length - PROBLEMS_SHOWN_MAX;
  return sentences.slice(0, PROBLEMS_SHOWN_MAX).join("; ") + (rest > 0 ? `; and ${rest} more` : "");
}

function trpcSentence(error: TRPCError): string {
  return error.cause instanceof z.ZodError ? inputSentence(error.cause) : error.message;
}
