/**
 * Log bytes as plain HTTP: `GET /api/v1/jobs/<id>/log`, see the head of the contract. Owns nothing between requests. Invariant: a
 * viewer's socket holds at most one chunk and Node's own buffer, since the next chunk is asked for after the last one drained; a slow
 * viewer is behind and never in the way. Ends a stream when the viewer leaves or may not read any more.
 */
import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { NexusError } from "@nexus/shared/errors";
import * as z from "zod";
import type { Principal } from "../services/ports.ts";
import type { LogSlice } from "../services/services.ts";
import type { ApiParts } from "./context.ts";
import { inputSentence } from "./refusal.ts";

const RANGE_BYTES_DEFAULT = 256 * 1024;
const RANGE_BYTES_MAX = 4 * 1024 * 1024;
/** For changes of access that this process did not see. */
const RECHECK_MS = 15_000;
const DOWNLOAD_CHUNK_BYTES = 1024 * 1024;

const flag = z.enum(["0", "1", "true", "false"]).transform((text) => text === "1" || text === "true");
const count = z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER);
const querySchema = z.object({
  offset: count.optional(),
  limit: count.min(1).optional(),
  tail: count.max(1_000_000).optional(),
  /** Age in ms, as the caller's clock may not be ours. */
  since: count.optional(),
  follow: flag.optional(),
  download: flag.optional(),
});
type LogQuery = z.output<typeof querySchema>;

export type LogRequest = {
  job: string;
  query: URLSearchParams;
  principal: Principal;
  /** Rejects when the viewer may not read on. */
  recheck: () => Promise<void>;
  /** Called for each change of the viewer's access. @returns stops listening. */
  onAccessChange: (listener: () => void) => () => void;
};

export type LogRoute = (req: IncomingMessage, res: ServerResponse, request: LogRequest) => Promise<void>;

export type LogRouteParts = Pick<ApiParts, "services" | "logOffsetAt" | "clock">;

export function createLogRoute({ services, logOffsetAt, clock }: LogRouteParts): LogRoute {
  return async (req, res, request) => {
    const parsed = querySchema.safeParse(Object.fromEntries(request.query));
    if (!parsed.success) throw new NexusError("bad_request", { detail: inputSentence(parsed.error) });
    if (parsed.data.follow) await follow(res, request, parsed.data);
    else if (parsed.data.download) await download(req, res, request);
    else await range(res, request, parsed.data);
  };

  async function range(res: ServerResponse, request: LogRequest, query: LogQuery): Promise<void> {
    const { job, principal } = request;
    const limit = Math.min(query.limit ?? RANGE_BYTES_DEFAULT, RANGE_BYTES_MAX);
    const offset = await placeOf(request, query);
    const slice = await services.readLog(principal, job, { offset, limit });
    res.writeHead(200, { ...headers(slice), "content-length": slice.bytes.byteLength });
    res.end(slice.bytes);
  }

  async function follow(res: ServerResponse, request: LogRequest, query: LogQuery): Promise<void> {
    const { job, principal } = request;
    const offset = await placeOf(request, query);
    const slice = await services.readLog(principal, job, { offset, limit: 1 });
    const ended = watchViewer(res, request);
    res.writeHead(200, headers({ ...slice, offset }));
    res.flushHeaders();
    for await (const { bytes } of services.followLog(principal, job, { offset, signal: ended })) {
      if (!(await write(res, bytes, ended))) break;
    }
    // A stream that ends before its log tells so by breaking off: only a whole log ends in order.
    if (ended.aborted) res.destroy();
    else res.end();
  }

  async function placeOf({ job, principal }: LogRequest, query: LogQuery): Promise<number> {
    if (query.tail !== undefined) return await services.logTailOffset(principal, job, query.tail);
    if (query.since === undefined) return query.offset ?? 0;
    const { id, attempt } = await services.getJob(principal, job);
    if (attempt === null) return 0;
    const { logBytes } = await services.logState(principal, id);
    return Math.min(logBytes, await logOffsetAt(attempt, clock.nowMs() - query.since));
  }

  async function download(req: IncomingMessage, res: ServerResponse, request: LogRequest): Promise<void> {
    const { job, principal } = request;
    const { id } = await services.getJob(principal, job);
    let slice = await services.readLog(principal, id, { offset: 0, limit: DOWNLOAD_CHUNK_BYTES });
    const sizeAtStart = slice.size;
    const ended = watchViewer(res, request);
    res.writeHead(200, {
      ...headers(slice),
      "content-length": sizeAtStart,
      "content-disposition": `attachment; filename="${safeName(id)}.log"`,
    });
    if (req.method === "HEAD") {
      res.end();
      return;
    }
    let offset = 0;
    while (offset < sizeAtStart && slice.bytes.byteLength > 0) {
      const bytes = slice.bytes.subarray(0, sizeAtStart - offset);
      if (!(await write(res, bytes, ended))) break;
      offset += bytes.byteLength;
      slice = await services.readLog(principal, id, { offset, limit: DOWNLOAD_CHUNK_BYTES });
    }
    if (offset < sizeAtStart) res.destroy();
    else res.end();
  }
}

function headers({ offset, size, ended }: LogSlice): Record<string, string> {
  return {
    "content-type": "application/octet-stream",
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
    "content-security-policy": "sandbox",
    "x-log-offset": String(offset),
    "x-log-size": String(size),
    "x-log-end": ended ? "1" : "0",
  };
}

/** Aborts when the viewer goes or loses the right to read. The request's own signal is not used: it misses closed sockets. */
function watchViewer(res: ServerResponse, request: LogRequest): AbortSignal {
  const ended = new AbortController();
  const recheck = () => {
    request.recheck().catch((cause: unknown) => {
      // A database that is away does not cut anyone off.
      if (cause instanceof NexusError) ended.abort(cause);
    });
  };
  const unlisten = request.onAccessChange(recheck);
  const timer = setInterval(recheck, RECHECK_MS);
  res.once("close", () => {
    unlisten();
    clearInterval(timer);
    ended.abort();
  });
  return ended.signal;
}

/** @returns false when the viewer has gone. */
async function write(res: ServerResponse, bytes: Uint8Array, ended: AbortSignal): Promise<boolean> {
  if (ended.aborted) return false;
  if (res.write(bytes)) return true;
  try {
    await once(res, "drain", { signal: ended });
    return true;
  } catch (cause) {
    if (ended.aborted) return false;
    throw cause;
  }
}

/** Ids are safe by form; this holds even if one day they are not. */
function safeName(id: string): string {
  return id.replace(/[^A-Za-z0-9_-]/g, "_");
}
