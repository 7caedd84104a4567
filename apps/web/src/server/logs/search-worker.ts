/**
 * The program of a search's own thread: an expression may take for ever, and then this thread is ended and nothing else waits.
 * Answers each piece of the log with the lines found in it; null is the end of the log.
 */
import { isAscii } from "node:buffer";
import { parentPort, workerData } from "node:worker_threads";
import type { LogLineFound } from "@nexus/shared/api/log-search";
import { assert } from "@nexus/shared/assert";
import { createLineSearch, type LineSearchQuery, type SearchStart } from "../core/logs/line-search.ts";

export type SearchWorkerData = { query: LineSearchQuery; start: SearchStart };
export type SearchWorkerAnswer = { lines: LogLineFound[]; matches: number };

const port = parentPort;
assert(port !== null, "this runs as a worker thread");
const { query, start } = workerData as SearchWorkerData;
const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });
/** Six times as fast where no byte needs to be understood, as in most logs. */
const decode = (bytes: Uint8Array) =>
  isAscii(bytes)
    ? Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1")
    : utf8.decode(bytes);
const search = createLineSearch(query, start, decode);
port.on("message", (bytes: Uint8Array | null) => {
  const lines = bytes === null ? search.end() : search.push(bytes);
  port.postMessage({ lines, matches: search.matches() } satisfies SearchWorkerAnswer);
});
