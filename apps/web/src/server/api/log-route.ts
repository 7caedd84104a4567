/**
 * Log bytes as plain HTTP: `GET /api/v1/jobs/<id>/log`, see the head of the contract. Owns nothing between requests. Invariant: a
 * viewer's socket holds at most one chunk and Node's own buffer, since the next chunk is asked for after the last one drained; a slow
 * viewer is behind and never in the way. Ends a stream when the viewer leaves or may not read any more.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { encodeLogTroubles } from "@nexus/shared/api/log-troubles";
import type { LogTrouble } from "@nexus/shared/api/schemas";
import { NexusError } from "@nexus/shared/errors";
import * as z from "zod";
import { createKeyWatch } from "../core/key-watch.ts";
import type { Principal } from "../services/ports.ts";
import type { LogSlice } from "../services/services.ts";
import type { ApiParts } from "./context.ts";
import { type Viewer, watchViewer, writeToViewer } from "./http/viewer.ts";
import { type LogPlaceParts, placeInLog } from "./place-in-log.ts";
import { inputSentence } from "./refusal.ts";

const RANGE_BYTES_DEFAULT = 256 * 1024;
const RANGE_BYTES_MAX = 4 * 1024 * 1024;
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
  /** Whose bytes `offset` counts; of a later attempt the log then begins at 0. */
  attempt: z.string().max(80).optional(),
  /** The log of that try of the job, instead of its latest. Not to be followed: it is over. */
  try: count.min(1).max(1_000_000_000).optional(),
  /** With `x-log-line`, the line number of the first byte. */
  lines: flag.optional(),
});
type LogQuery = z.output<typeof querySchema>;

export type LogRequest = {
  job: string;
  query: URLSearchParams;
  principal: Principal;
} & Viewer;

export type LogRoute = (req: IncomingMessage, res: ServerResponse, request: LogRequest) => Promise<void>;

export type LogRouteParts = Pick<ApiParts, "services"> & LogPlaceParts;

export function createLogRoute({ services, logOffsetAt, clock }: LogRouteParts): LogRoute {
  const watch = createKeyWatch((wake) => services.events.on("job", ({ jobs }) => jobs.forEach(wake)));
  return async (req, res, request) => {
    const parsed = querySchema.safeParse(Object.fromEntries(request.query));
    if (!parsed.success) throw new NexusError("bad_request", { detail: inputSentence(parsed.error) });
    if (parsed.data.follow && parsed.data.try !== undefined)
      throw new NexusError("bad_request", { detail: "try: one try of a job cannot be followed; read it." });
    if (parsed.data.follow) await follow(res, request, parsed.data);
    else if (parsed.data.download) await download(req, res, { request, fence: parsed.data.try });
    else await range(res, request, parsed.data);
  };

  async function range(res: ServerResponse, request: LogRequest, query: LogQuery): Promise<void> {
    const { job, principal } = request;
    const limit = Math.min(query.limit ?? RANGE_BYTES_DEFAULT, RANGE_BYTES_MAX);
    const fence = query.try;
    const log = await services.openLog(principal, job, fence);
    const offset = await placeInLog(log, query, { logOffsetAt, clock });
    // Troubles first: what was stored before they came is then not called whole.
    const logTroubles = fence === undefined ? (await services.getJob(principal, job)).logTroubles : [];
    const slice = await services.readLog(principal, job, { offset, limit, fence });
    const lines = query.lines
      ? await (await services.openLog(principal, job, fence))?.linesBefore(offset)
      : undefined;
    res.writeHead(200, {
      ...headers(slice, logTroubles),
      ...(lines === undefined ? {} : { "x-log-line": String(lines + 1) }),
      "content-length": slice.bytes.byteLength,
    });
    res.end(slice.bytes);
  }

  async function follow(res: ServerResponse, request: LogRequest, query: LogQuery): Promise<void> {
    const { job, principal } = request;
    const left = watchViewer(res, request);
    const log = await services.openLog(principal, job);
    const isAnother = query.attempt !== undefined && log !== null && log.attempt !== query.attempt;
    const offset = isAnother ? 0 : await placeInLog(log, query, { logOffsetAt, clock, signal: left });
    const seen = await services.getJob(principal, job);
    const slice = await services.readLog(principal, seen.id, { offset, limit: 1 });
    if (left.aborted) return;
    const changed = new AbortController();
    const unlisten = watch.onChange(seen.id, () => {
      const now = services.logTroubles(seen);
      if (now && encodeLogTroubles(now) !== encodeLogTroubles(seen.logTroubles)) changed.abort();
    });
    res.once("close", unlisten);
    const ended = AbortSignal.any([left, changed.signal]);
    let attempt = log?.attempt ?? null;
    res.writeHead(200, headers({ ...slice, attempt, offset }, seen.logTroubles));
    res.flushHeaders();
    for await (const piece of services.followLog(principal, seen.id, { offset, signal: ended })) {
      const { bytes } = piece;
      attempt ??= piece.attempt;
      // Its places are counted anew: who comes again with the attempt they know begins at 0.
      if (piece.attempt !== attempt) changed.abort();
      if (ended.aborted || !(await writeToViewer(res, bytes, ended))) break;
    }
    // A stream that ends before its log tells so by breaking off: only a whole log ends in order.
    if (ended.aborted) res.destroy();
    else res.end();
  }

  async function download(
    req: IncomingMessage,
    res: ServerResponse,
    { request, fence }: { request: LogRequest; fence: number | undefined },
  ): Promise<void> {
    const { job, principal } = request;
    const ended = watchViewer(res, request);
    const { id, logTroubles } = await services.getJob(principal, job);
    const slice = await services.readLog(principal, id, { offset: 0, limit: 1, fence });
    // Of one attempt: the job may go on to the next meanwhile.
    const log = await services.openLog(principal, id, fence);
    const sizeAtStart = log?.size ?? 0;
    if (ended.aborted) return;
    res.writeHead(200, {
      ...headers(slice, logTroubles),
      "content-length": sizeAtStart,
      "content-disposition": `attachment; filename="${safeName(id)}${fence === undefined ? "" : `-try-${fence}`}.log"`,
    });
    if (req.method === "HEAD") {
      res.end();
      return;
    }
    let offset = 0;
    while (log !== null && offset < sizeAtStart) {
      const bytes = await log.read(offset, Math.min(DOWNLOAD_CHUNK_BYTES, sizeAtStart - offset));
      if (bytes.byteLength === 0 || !(await writeToViewer(res, bytes, ended))) break;
      offset += bytes.byteLength;
    }
    if (offset < sizeAtStart) res.destroy();
    else res.end();
  }
}

function headers({ attempt, offset, size, ended }: LogSlice, troubles: LogTrouble[]): Record<string, string> {
  return {
    "content-type": "application/octet-stream",
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
    "content-security-policy": "sandbox",
    ...(attempt === null ? {} : { "x-log-attempt": attempt }),
    "x-log-offset": String(offset),
    "x-log-size": String(size),
    "x-log-end": ended ? "1" : "0",
    ...(troubles.length === 0 ? {} : { "x-log-troubles": encodeLogTroubles(troubles) }),
  };
}

/** Ids are safe by form; this holds even if one day they are not. */
function safeName(id: string): string {
  return id.replace(/[^A-Za-z0-9_-]/g, "_");
}
