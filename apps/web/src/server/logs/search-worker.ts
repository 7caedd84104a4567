/**
 * The program of a search's own thread: an expression may take for ever, and then this thread is ended and nothing else waits.
 * Answers each piece of the log with the lines found in it, a portion at a time: the next when it is asked for more.
 */
import { isAscii } from "node:buffer";
import { parentPort, workerData } from "node:worker_threads";
import type { LogLineFound } from "@nexus/shared/api/log-search";
import { assert } from "@nexus/shared/assert";
import { createLineSearch, type LineSearchQuery, type SearchStart } from "../core/logs/line-search.ts";

export type SearchWorkerData = { query: LineSearchQuery; start: SearchStart };
/** The next piece of the log, its end, or the wish for the rest of what was found in the last piece. */
export type SearchWorkerOrder = Uint8Array | "end" | "more";
export type SearchWorkerAnswer = { lines: LogLineFound[]; matches: number; hasMore: boolean };
/** It is ready first: until then it loads, and the pattern takes no time. */
export type SearchWorkerMessage = "ready" | SearchWorkerAnswer;

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
let portions: Iterator<LogLineFound[]> | null = null;
port.on("message", (order: SearchWorkerOrder) => {
  if (order !== "more") portions = (order === "end" ? search.end() : search.push(order))[Symbol.iterator]();
  const next = portions?.next();
  const answer = { lines: next?.value ?? [], matches: search.matches(), hasMore: next?.done === false };
  port.postMessage(answer satisfies SearchWorkerMessage);
});
port.postMessage("ready" satisfies SearchWorkerMessage);
