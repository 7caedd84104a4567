/**
 * A search in a job's log as plain HTTP: `POST /api/v1/jobs/<id>/log/search`, by `log-search.ts` of the contract. Owns nothing between
 * requests. Invariant: a viewer's socket holds the answer to one piece of the log, and the next piece is searched when that has left. A
 * viewer who takes nothing for long is cut off, as a search holds one of few threads.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { type LogSearchAnswer, type LogSearchQuery, logSearchSchema } from "@nexus/shared/api/log-search";
import { NexusError } from "@nexus/shared/errors";
import type { SearchedLog } from "../services/ports.ts";
import type { ApiParts } from "./context.ts";
import { readJson } from "./http/read-json.ts";
import { watchViewer, writeToViewer } from "./http/viewer.ts";
import type { LogRequest } from "./log-route.ts";
import { type LogPlaceParts, placeInLog } from "./place-in-log.ts";

/** How often a search that finds nothing says how far it is. */
const PROGRESS_MS = 250;
const STALL_MS_MAX = 30_000;

export type LogSearchRoute = (
  req: IncomingMessage,
  res: ServerResponse,
  request: Omit<LogRequest, "query">,
) => Promise<void>;

export type LogSearchRouteParts = Pick<ApiParts, "services" | "logSearch"> & LogPlaceParts;

export function createLogSearchRoute(parts: LogSearchRouteParts): LogSearchRoute {
  const { services, logSearch, clock } = parts;
  return async (req, res, request) => {
    const query = await readJson(req, logSearchSchema);
    const ended = watchViewer(res, request);
    const log = await openSearched(request, query);
    let toldAtMs = clock.nowMs();
    const pieces = logSearch.search(log, query, { user: request.principal.userId, signal: ended });
    try {
      let last = { searchedTo: 0, matches: 0 };
      for await (const { lines, ...state } of pieces) {
        last = state;
        const isProgressDue = clock.nowMs() - toldAtMs >= PROGRESS_MS;
        if (!isProgressDue && lines.length === 0) continue;
        toldAtMs = clock.nowMs();
        begin(res);
        const progress: LogSearchAnswer = { type: "progress", size: log.size, ...state };
        const patience = AbortSignal.any([ended, AbortSignal.timeout(STALL_MS_MAX)]);
        const text = [...lines, ...(isProgressDue ? [progress] : [])].map(toLine).join("");
        if (!(await writeToViewer(res, Buffer.from(text), patience))) break;
        if (patience.aborted) break;
      }
      begin(res);
      if (last.searchedTo < log.size || ended.aborted) res.destroy();
      else res.end(toLine({ type: "end", ...last }));
    } catch (cause) {
      if (ended.aborted) res.destroy();
      else if (res.headersSent && cause instanceof NexusError) res.end(toLine(refused(cause)));
      else throw cause;
    }
  };

  async function openSearched(
    { principal, job }: Pick<LogRequest, "principal" | "job">,
    query: LogSearchQuery,
  ): Promise<SearchedLog> {
    const log = await services.openLog(principal, job);
    if (log === null) {
      const start = async () => ({ offset: 0, line: 0 });
      return { size: 0, start, read: async () => new Uint8Array(0) };
    }
    return {
      size: log.size,
      read: log.read,
      async start(signal) {
        const offset = Math.min(log.size, await placeInLog(log, query, { ...parts, signal }));
        return { offset, line: await log.linesBefore(offset, signal) };
      },
    };
  }
}

function begin(res: ServerResponse): void {
  if (res.headersSent) return;
  res.writeHead(200, {
    "content-type": "application/x-ndjson",
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
  });
}

function refused({ code, message }: NexusError): LogSearchAnswer {
  return { type: "refused", code, message };
}

function toLine(answer: LogSearchAnswer): string {
  return `${JSON.stringify(answer)}\n`;
}
