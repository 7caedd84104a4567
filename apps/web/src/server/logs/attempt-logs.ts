/**
 * The logs in use, of whichever home: what every store does with them.
 *
 * Owns: the logs in use and those used lately, and the line counts; both are bounded. Invariants: there is at most one
 * `AttemptLog` of an attempt, so it has one line of writers; one that is in use is not dropped, and one that is dropped loses
 * nothing, since its home says it all. It refuses numbers that are no places, and everything once closed.
 */
import { assert } from "@nexus/shared/assert";
import type { LogStore } from "../services/ports.ts";
import type { AttemptLog } from "./attempt-log.ts";
import { createLineCounts } from "./line-counts.ts";
import { linesBefore, tailOffset } from "./tail-offset.ts";

export type AttemptLogs<Log extends AttemptLog> = Omit<LogStore, "problem" | "isFar"> & {
  /** The log is not dropped, and the store not closed, before the work is done. */
  use<T>(attempt: string, work: (log: Log) => T | Promise<T>): Promise<T>;
};

export type AttemptLogsOptions<Log extends AttemptLog> = {
  open(attempt: string): Promise<Log>;
  syncsAtOnce: number;
  /** When nothing is in use any more. */
  onClose(): Promise<void>;
};

/** More is answered in pieces: a caller's limit is not a promise of memory. */
export const READ_BYTES_MAX = 4 * 1024 * 1024;
/** Chains in memory, a few hundred bytes each. */
const LOGS_MAX = 4096;
/** Counts of 16 GiB of log, about 3 MiB of memory. */
const LINE_COUNTS_MAX = 64 * 1024;

export function createAttemptLogs<Log extends AttemptLog>(
  options: AttemptLogsOptions<Log>,
): AttemptLogs<Log> {
  type Entry = { log: Promise<Log>; users: number };
  const counts = createLineCounts(LINE_COUNTS_MAX);
  const syncs = createTurnstile(options.syncsAtOnce);
  /** The one used longest ago first. */
  const entries = new Map<string, Entry>();
  let busy = 0;
  const quiet = Promise.withResolvers<void>();
  let closed: Promise<void> | null = null;

  async function use<T>(attempt: string, work: (log: Log) => T | Promise<T>): Promise<T> {
    assert(!closed, "the log store is closed");
    const entry = entries.get(attempt) ?? { log: open(attempt), users: 0 };
    entries.delete(attempt);
    entries.set(attempt, entry);
    entry.users += 1;
    busy += 1;
    try {
      return await work(await entry.log);
    } finally {
      entry.users -= 1;
      busy -= 1;
      if (closed && busy === 0) quiet.resolve();
      if (entries.size > LOGS_MAX) dropIdle();
    }
  }

  function open(attempt: string): Promise<Log> {
    const log = options.open(attempt);
    // What could not be read is not kept: the next caller tries again.
    log.catch(() => entries.delete(attempt));
    return log;
  }

  function dropIdle(): void {
    for (const [attempt, { users }] of entries) {
      if (entries.size <= LOGS_MAX) return;
      if (users === 0) entries.delete(attempt);
    }
  }

  /** What was begun is brought to its end. */
  async function shut(): Promise<void> {
    if (busy > 0) await quiet.promise;
    await options.onClose();
  }

  return {
    use,
    size: (attempt) => use(attempt, (log) => log.size()),
    async append(attempt, offset, bytes) {
      assertCount(offset, "an offset");
      return await use(attempt, (log) => log.append(offset, bytes));
    },
    async read(attempt, offset, limit) {
      assertCount(offset, "an offset");
      assertCount(limit, "a limit");
      return await use(attempt, (log) => log.read(offset, Math.min(limit, READ_BYTES_MAX)));
    },
    async tailOffset(attempt, lines, signal) {
      assertCount(lines, "a number of lines");
      return use(attempt, (log) => {
        const read = untilAborted(log.read, signal);
        return tailOffset({ attempt, size: log.size(), lines, read, counts });
      });
    },
    async linesBefore(attempt, offset, signal) {
      assertCount(offset, "an offset");
      return use(attempt, (log) => {
        const read = untilAborted(log.read, signal);
        return linesBefore({ attempt, size: log.size(), offset, read, counts });
      });
    },
    sync: (attempt) => use(attempt, (log) => syncs.run(log.sync)),
    remove(attempt) {
      return use(attempt, async (log) => {
        await log.remove();
        counts.forget(attempt);
      });
    },
    close() {
      closed ??= shut();
      return closed;
    },
  };
}

type Read = (offset: number, limit: number) => Promise<Uint8Array>;

function untilAborted(read: Read, signal: AbortSignal | undefined): Read {
  return async (offset, limit) => {
    signal?.throwIfAborted();
    return await read(offset, limit);
  };
}

function assertCount(value: number, what: string): void {
  assert(Number.isSafeInteger(value) && value >= 0, `${what} must be a whole number from 0 on, not ${value}`);
}

/** Lets `most` pieces of work run at once; the others wait in line. */
function createTurnstile(most: number) {
  const waiting: (() => void)[] = [];
  let inside = 0;
  return {
    async run<T>(work: () => Promise<T>): Promise<T> {
      if (inside < most) inside += 1;
      else await new Promise<void>((resolve) => waiting.push(resolve));
      try {
        return await work();
      } finally {
        const next = waiting.shift();
        if (next) next();
        else inside -= 1;
      }
    },
  };
}
