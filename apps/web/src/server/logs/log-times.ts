/**
 * When which byte of a log came, for "since ten minutes ago". Owns one small file an attempt beside the log: records of 16 bytes, time
 * and place, at most one each `RECORD_MS`. Invariants: records are only added, in the order of time; a log is right without them, so a
 * record that cannot be written is reported and missed by nobody but `offsetAt`, which then begins earlier. The time is that of
 * arrival here: what a node sends after a silence came when it came.
 */
import { appendFile, mkdir, readFile, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { assert } from "@nexus/shared/assert";
import { isId } from "@nexus/shared/ids";
import type { LogStore } from "../services/ports.ts";

const RECORD_MS = 1000;
const RECORD_BYTES = 16;
/** Attempts whose last record is remembered; a forgotten one gets a record too many. */
const REMEMBERED_MAX = 10_000;

export type LogTimesOptions = {
  root: string;
  nowMs: () => number;
  onProblem: (message: string, cause: unknown) => void;
};

export type LogTimes = {
  /** The same store, whose appends are noted. */
  over(store: LogStore): LogStore;
  /** Where the first byte lies that came at `atMs` or later, or up to a second before it; 0 where nothing is known. */
  offsetAt(attempt: string, atMs: number): Promise<number>;
};

export function createLogTimes({ root, nowMs, onProblem }: LogTimesOptions): LogTimes {
  const notedAtMs = new Map<string, number>();
  const lanes = new Map<string, Promise<void>>();

  function note(attempt: string, offset: number): void {
    const atMs = nowMs();
    if (atMs - (notedAtMs.get(attempt) ?? Number.NEGATIVE_INFINITY) < RECORD_MS) return;
    notedAtMs.delete(attempt);
    notedAtMs.set(attempt, atMs);
    const oldest = notedAtMs.size > REMEMBERED_MAX ? notedAtMs.keys().next().value : undefined;
    if (oldest !== undefined) notedAtMs.delete(oldest);
    void inLane(attempt, async () => await write(attempt, atMs, offset));
  }

  /** Records of one attempt are written one after the other, so that their order is that of time. */
  function inLane(attempt: string, work: () => Promise<void>): Promise<void> {
    const done = (lanes.get(attempt) ?? Promise.resolve())
      .then(work)
      .catch((cause: unknown) =>
        onProblem(`the time of a piece of the log of ${attempt} was not noted`, cause),
      )
      .finally(() => {
        if (lanes.get(attempt) === done) lanes.delete(attempt);
      });
    lanes.set(attempt, done);
    return done;
  }

  async function write(attempt: string, atMs: number, offset: number): Promise<void> {
    const record = Buffer.alloc(RECORD_BYTES);
    record.writeDoubleLE(atMs, 0);
    record.writeDoubleLE(offset, 8);
    const path = pathOf(attempt);
    try {
      await appendFile(path, record, { mode: 0o600 });
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== "ENOENT") throw cause;
      await mkdir(dirname(path), { recursive: true, mode: 0o700 });
      await appendFile(path, record, { mode: 0o600 });
    }
  }

  function pathOf(attempt: string): string {
    assert(isId("attempt", attempt), "an attempt's id names its file");
    return join(root, attempt.slice(-2), `${attempt}.times`);
  }

  return {
    over: (store) => ({
      ...store,
      async append(attempt, offset, bytes) {
        const size = await store.append(attempt, offset, bytes);
        if (bytes.length > 0 && size === offset + bytes.length) note(attempt, offset);
        return size;
      },
      async remove(attempt) {
        await store.remove(attempt);
        await inLane(attempt, async () => await rm(pathOf(attempt), { force: true }));
      },
      async close() {
        await Promise.all(lanes.values());
        await store.close();
      },
    }),

    async offsetAt(attempt, atMs) {
      await lanes.get(attempt);
      const records = await readFile(pathOf(attempt)).catch((cause: NodeJS.ErrnoException) => {
        if (cause.code === "ENOENT") return Buffer.alloc(0);
        throw cause;
      });
      // A crash may have torn the last record; the whole ones before it are right.
      const count = Math.floor(records.length / RECORD_BYTES);
      const timeAt = (index: number) => records.readDoubleLE(index * RECORD_BYTES);
      let low = 0;
      let high = count;
      while (low < high) {
        const middle = (low + high) >> 1;
        if (timeAt(middle) + RECORD_MS <= atMs) low = middle + 1;
        else high = middle;
      }
      if (low < count) return records.readDoubleLE(low * RECORD_BYTES + 8);
      return count === 0 ? 0 : Number.MAX_SAFE_INTEGER;
    },
  };
}
