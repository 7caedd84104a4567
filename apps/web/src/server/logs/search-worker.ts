/**
 * The program of a search's own thread: an expression may take for ever, and then this thread is ended and nothing else waits.
 * Answers each piece of the log with the lines found in it; null is the end of the log.
 */
import { parentPort, workerData } from "node:worker_threads";
import type { LogLineFound } from "@nexus/shared/api/log-search";
import { assert } from "@nexus/shared/assert";
import { createLineSearch, type LineSearchQuery, type SearchStart } from "../core/logs/line-search.ts";

export type SearchWorkerData = { query: LineSearchQuery; start: SearchStart };
export type SearchWorkerAnswer = { lines: LogLineFound[]; matches: number };

const port = parentPort;
assert(port !== null, "this runs as a worker thread");
const { query, start } = workerData as SearchWorkerData;
const search = createLineSearch(query, start);
port.on("message", (bytes: Uint8Array | null) => {
  const lines = bytes === null ? search.end() : search.push(bytes);
  port.postMessage({ lines, matches: search.matches() } satisfies SearchWorkerAnswer);
});
