/**
 * Searches in logs, each in a thread of its own. Owns: the threads at work and the line of those who wait for one. Invariants: at most
 * `searchesMax` run at once, and one of each user; a thread holds one piece of the log, and the next is read while it works; nothing
 * is read ahead of whoever takes the lines; a search that its reader leaves, that sits too long over one piece, or that takes too long
 * in all ends with its thread. It refuses expressions that are none, expressions that take too long or too much memory, and searches
 * when too many wait. A thread that fails ends its search and nothing else.
 */
import { Worker } from "node:worker_threads";
import { NexusError } from "@nexus/shared/errors";
import { createLineSearch, type LineSearchQuery, type SearchStart } from "../core/logs/line-search.ts";
import type { LogSearch, LogSearchReader, SearchedLog, SearchPiece } from "../services/ports.ts";
import type {
  SearchWorkerAnswer,
  SearchWorkerData,
  SearchWorkerMessage,
  SearchWorkerOrder,
} from "./search-worker.ts";

export type LogSearchOptions = {
  searchesMax?: number;
  waitingMax?: number;
  pieceMsMax?: number;
  searchMsMax?: number;
  heapMibMax?: number;
};

/** One core stays for everything else even on a small machine; a search holds about 20 MiB. */
const SEARCHES_MAX = 2;
const WAITING_MAX = 32;
/** A piece takes about 5 ms; what takes a thousand times that would not end. */
const PIECE_MS_MAX = 5_000;
/** Some 20 GiB of log, and as long as anyone else may have to wait for a thread. */
const SEARCH_MS_MAX = 120_000;
/**
 * Large enough that messages between threads cost nothing. Measured on 1 GiB, 12 million lines, with four other busy
 * processes on two cores: 2.6 s for fixed text, 3 to 4.6 s for expressions, 7 s where every line matches; first lines after 0.1 to 0.3 s.
 */
const PIECE_BYTES = 1024 * 1024;
const HEAP_MIB_MAX = 128;
const RETRY_AFTER_MS = 2_000;
/** Beside this file in the sources, beside the server's in the bundle. */
const PROGRAM = new URL(
  import.meta.url.endsWith(".ts") ? "./search-worker.ts" : "./search-worker.js",
  import.meta.url,
);

export function createLogSearch(options: LogSearchOptions = {}): LogSearch {
  const { searchesMax = SEARCHES_MAX, waitingMax = WAITING_MAX } = options;
  const { pieceMsMax = PIECE_MS_MAX, searchMsMax = SEARCH_MS_MAX, heapMibMax = HEAP_MIB_MAX } = options;
  const waiting = new Set<{ user: string; begin: () => void }>();
  const running = new Set<string>();

  async function enter({ user, signal }: LogSearchReader): Promise<void> {
    signal.throwIfAborted();
    if (running.size < searchesMax && !running.has(user)) {
      running.add(user);
      return;
    }
    if (waiting.size >= waitingMax) {
      const detail = `${running.size} searches in logs run and ${waiting.size} wait. Try again in a moment.`;
      throw new NexusError("unavailable", { detail, retryAfterMs: RETRY_AFTER_MS });
    }
    const turn = Promise.withResolvers<void>();
    const leave = () => turn.reject(signal.reason);
    const place = { user, begin: turn.resolve };
    waiting.add(place);
    signal.addEventListener("abort", leave, { once: true });
    try {
      await turn.promise;
    } finally {
      waiting.delete(place);
      signal.removeEventListener("abort", leave);
    }
  }

  /** The place goes to whoever waits longest and searches nothing else. */
  function exit(user: string): void {
    running.delete(user);
    for (const next of waiting) {
      if (running.has(next.user)) continue;
      waiting.delete(next);
      running.add(next.user);
      next.begin();
      return;
    }
  }

  return {
    async *search(log, query, reader) {
      refuseNonsense(query);
      await enter(reader);
      const late = new AbortController();
      const timer = setTimeout(() => late.abort(tookTooLong(searchMsMax)), searchMsMax);
      const signal = AbortSignal.any([reader.signal, late.signal]);
      try {
        const start = await log.start(signal);
        signal.throwIfAborted();
        const thread = startThread({ query, start }, { pieceMsMax, heapMibMax });
        try {
          yield* searchPieces({ log, start, thread, signal });
        } finally {
          await thread.end();
        }
      } finally {
        clearTimeout(timer);
        exit(reader.user);
      }
    },
  };
}

type PiecesOptions = { log: SearchedLog; start: SearchStart; thread: SearchThread; signal: AbortSignal };

async function* searchPieces({ log, start, thread, signal }: PiecesOptions): AsyncGenerator<SearchPiece> {
  const { size, read } = log;
  let searchedTo = start.offset;
  const next = (offset: number) =>
    offset < size ? read(offset, Math.min(PIECE_BYTES, size - offset)) : null;
  let reading = next(searchedTo);
  while (reading !== null) {
    const bytes = await reading;
    signal.throwIfAborted();
    if (bytes.byteLength === 0) break;
    const place = searchedTo;
    const end = place + bytes.byteLength;
    reading = next(end);
    // Nobody may be there to see it fail when the thread fails first.
    reading?.catch(() => undefined);
    for await (const { hasMore, ...found } of thread.search(bytes, place, signal)) {
      if (!hasMore) searchedTo = end;
      yield { ...found, searchedTo };
    }
  }
  for await (const { hasMore: _, ...found } of thread.search("end", searchedTo, signal)) {
    yield { ...found, searchedTo };
  }
}

type ThreadLimits = { pieceMsMax: number; heapMibMax: number };

type SearchThread = {
  search(order: SearchWorkerOrder, offset: number, signal: AbortSignal): AsyncGenerator<SearchWorkerAnswer>;
  end(): Promise<void>;
};

function startThread(workerData: SearchWorkerData, limits: ThreadLimits): SearchThread {
  const worker = new Worker(PROGRAM, {
    workerData,
    resourceLimits: { maxOldGenerationSizeMb: limits.heapMibMax },
    // What the thread may print or read of the environment is nobody's.
    env: {},
  });
  let asked = Promise.withResolvers<SearchWorkerAnswer>();
  let failure: { cause: unknown } | null = null;
  const ready = Promise.withResolvers<void>();
  worker.on("message", (message: SearchWorkerMessage) => {
    if (message === "ready") ready.resolve();
    else asked.resolve(message);
  });
  // Always heard, also while nothing is asked: an error of a thread that nobody hears ends the process.
  worker.on("error", (cause) => {
    failure = { cause };
    fail(cause);
  });

  function fail(cause: unknown): void {
    asked.promise.catch(() => undefined);
    asked.reject(cause);
  }

  async function ask(order: SearchWorkerOrder, offset: number, signal: AbortSignal) {
    signal.throwIfAborted();
    asked = Promise.withResolvers();
    if (failure) fail(failure.cause);
    const leave = () => fail(signal.reason);
    let timer: NodeJS.Timeout | undefined;
    signal.addEventListener("abort", leave, { once: true });
    try {
      await Promise.race([ready.promise, asked.promise]);
      timer = setTimeout(() => fail(tooSlow(offset)), limits.pieceMsMax);
      if (typeof order !== "string" && isWholeBuffer(order))
        worker.postMessage(order, [order.buffer as ArrayBuffer]);
      else worker.postMessage(order);
      return await asked.promise;
    } catch (cause) {
      const isFull = cause instanceof Error && "code" in cause && cause.code === "ERR_WORKER_OUT_OF_MEMORY";
      throw isFull ? tooLarge(offset, cause) : cause;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", leave);
    }
  }

  return {
    async *search(order, offset, signal) {
      let answer = await ask(order, offset, signal);
      yield answer;
      while (answer.hasMore) {
        answer = await ask("more", offset, signal);
        yield answer;
      }
    },
    async end() {
      await worker.terminate();
    },
  };
}

function tooSlow(offset: number): NexusError {
  const detail = `The pattern takes too long on this log (given up near byte ${offset}). Make it simpler, or search for fixed text.`;
  return new NexusError("bad_request", { detail });
}

function tooLarge(offset: number, cause: unknown): NexusError {
  const detail = `The pattern takes too much memory on this log (given up near byte ${offset}). Make it simpler, or search for fixed text.`;
  return new NexusError("bad_request", { detail, cause });
}

function tookTooLong(searchMsMax: number): NexusError {
  const detail = `The search was given up after ${searchMsMax / 1000} s, so that others can search too. Search in a part of the log (--since or --tail).`;
  return new NexusError("bad_request", { detail });
}

/** It can change hands instead of being copied. */
function isWholeBuffer({ buffer, byteLength }: Uint8Array): boolean {
  return buffer instanceof ArrayBuffer && buffer.byteLength === byteLength;
}

function refuseNonsense(query: LineSearchQuery): void {
  try {
    createLineSearch(query, { offset: 0, line: 0 });
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new NexusError("bad_request", {
      detail: `${why}. To search for the text as it is, say so (--fixed).`,
      cause,
    });
  }
}
