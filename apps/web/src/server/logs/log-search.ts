/**
 * Searches in logs, each in a thread of its own. Owns: the threads at work and the line of those who wait for one. Invariants: at most
 * `searchesMax` run at once; a thread holds one piece of the log, and the next is read while it works; nothing is read ahead of
 * whoever takes the lines; a search that its reader leaves, or that sits too long over one piece, ends with its thread. It refuses
 * expressions that are none, expressions that take too long, and searches when too many wait.
 */
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { NexusError } from "@nexus/shared/errors";
import { createLineSearch, type LineSearchQuery } from "../core/logs/line-search.ts";
import type { LogSearch, SearchedLog, SearchPiece } from "../services/ports.ts";
import type { SearchWorkerAnswer, SearchWorkerData } from "./search-worker.ts";

export type LogSearchOptions = { searchesMax?: number; waitingMax?: number; pieceMsMax?: number };

/** One core stays for everything else even on a small machine; a search holds about 20 MiB. */
const SEARCHES_MAX = 2;
const WAITING_MAX = 32;
/** A piece takes about 5 ms; what takes a thousand times that would not end. */
const PIECE_MS_MAX = 5_000;
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
  const { searchesMax = SEARCHES_MAX, waitingMax = WAITING_MAX, pieceMsMax = PIECE_MS_MAX } = options;
  const waiting = new Set<() => void>();
  let running = 0;

  async function enter(signal: AbortSignal): Promise<void> {
    if (running < searchesMax) {
      running += 1;
      return;
    }
    if (waiting.size >= waitingMax) {
      const detail = `${running} searches in logs run and ${waiting.size} wait. Try again in a moment.`;
      throw new NexusError("unavailable", { detail, retryAfterMs: RETRY_AFTER_MS });
    }
    const turn = Promise.withResolvers<void>();
    const leave = () => turn.reject(signal.reason);
    waiting.add(turn.resolve);
    signal.addEventListener("abort", leave, { once: true });
    try {
      await turn.promise;
    } finally {
      waiting.delete(turn.resolve);
      signal.removeEventListener("abort", leave);
    }
  }

  /** The place goes to whoever waits longest. */
  function exit(): void {
    const [next] = waiting;
    if (next === undefined) {
      running -= 1;
      return;
    }
    waiting.delete(next);
    next();
  }

  return {
    async *search(log, query, signal) {
      refuseNonsense(query);
      await enter(signal);
      try {
        signal.throwIfAborted();
        const thread = startThread({ query, start: log.start }, pieceMsMax);
        try {
          yield* searchPieces(log, thread, signal);
        } finally {
          await thread.end();
        }
      } finally {
        exit();
      }
    },
  };
}

async function* searchPieces(
  log: SearchedLog,
  thread: SearchThread,
  signal: AbortSignal,
): AsyncGenerator<SearchPiece> {
  const { size, start, read } = log;
  let searchedTo = start.offset;
  const next = (offset: number) =>
    offset < size ? read(offset, Math.min(PIECE_BYTES, size - offset)) : null;
  let reading = next(searchedTo);
  while (reading !== null) {
    const bytes = await reading;
    signal.throwIfAborted();
    if (bytes.byteLength === 0) break;
    const place = searchedTo;
    searchedTo += bytes.byteLength;
    reading = next(searchedTo);
    // Nobody may be there to see it fail when the thread fails first.
    reading?.catch(() => undefined);
    yield { ...(await thread.search(bytes, place, signal)), searchedTo };
  }
  yield { ...(await thread.search(null, searchedTo, signal)), searchedTo };
}

type SearchThread = {
  search(bytes: Uint8Array | null, offset: number, signal: AbortSignal): Promise<SearchWorkerAnswer>;
  end(): Promise<void>;
};

function startThread(workerData: SearchWorkerData, pieceMsMax: number): SearchThread {
  const worker = new Worker(PROGRAM, {
    workerData,
    resourceLimits: { maxOldGenerationSizeMb: HEAP_MIB_MAX },
    // What the thread may print or read of the environment is nobody's.
    env: {},
  });
  return {
    async search(bytes, offset, signal) {
      const late = AbortSignal.timeout(pieceMsMax);
      const answered = once(worker, "message", { signal: AbortSignal.any([signal, late]) });
      if (bytes !== null && isWholeBuffer(bytes)) worker.postMessage(bytes, [bytes.buffer as ArrayBuffer]);
      else worker.postMessage(bytes);
      try {
        const [answer] = await answered;
        return answer as SearchWorkerAnswer;
      } catch (cause) {
        if (!late.aborted || signal.aborted) throw cause;
        const detail = `The pattern takes too long on this log (given up near byte ${offset}). Make it simpler, or search for fixed text.`;
        throw new NexusError("bad_request", { detail, cause });
      }
    },
    async end() {
      await worker.terminate();
    },
  };
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
