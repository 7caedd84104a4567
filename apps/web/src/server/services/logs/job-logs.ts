/** Logs of jobs for people: by offset, from the end, and as they grow. */
import { isFinal } from "@nexus/shared/machines/job";
import type { JobRow } from "../../db/queries/job-row.ts";
import type { JobReader } from "../jobs/read-jobs.ts";
import type { Principal } from "../ports.ts";
import type { World } from "../scheduling/world.ts";
import type { ServiceContext } from "../service-context.ts";
import type { FollowFrom, LogChunk, LogSlice } from "../services.ts";
import { createLogBells } from "./log-bells.ts";

/** One read of a follower: what it holds at most. */
const CHUNK_BYTES = 256 * 1024;

export type JobLogs = {
  read(principal: Principal, job: string, range: { offset: number; limit: number }): Promise<LogSlice>;
  follow(principal: Principal, job: string, from: FollowFrom): AsyncIterable<LogChunk>;
  tailOffset(principal: Principal, job: string, lines: number): Promise<number>;
  state(principal: Principal, job: string): Promise<{ logBytes: number; logEnded: boolean }>;
};

export function createJobLogs(ctx: ServiceContext, world: World, reader: JobReader): JobLogs {
  const { logs } = ctx;
  const bells = createLogBells(ctx.events);

  /** A queued job that was tried before shows that attempt's log until it has a new one. */
  const attemptOf = (row: JobRow) => (row.attemptNumber === 0 ? null : row.attempt);

  async function stateOf(row: JobRow): Promise<{ attempt: string | null; size: number; ended: boolean }> {
    const attempt = attemptOf(row);
    // The end is asked for before the size: bytes that come between are then not taken for the last.
    const ended = isFinal(row.state) && (attempt === null || !world.live.attempts.has(attempt));
    return { attempt, ended, size: attempt === null ? 0 : await logs.size(attempt) };
  }

  return {
    async read(principal, job, { offset, limit }) {
      const { attempt, size, ended } = await stateOf(await reader.row(principal, job));
      const empty = new Uint8Array(0);
      const bytes = attempt === null || offset >= size ? empty : await logs.read(attempt, offset, limit);
      return { bytes, offset, size, ended };
    },
    async tailOffset(principal, job, lines) {
      const attempt = attemptOf(await reader.row(principal, job));
      return attempt === null ? 0 : await logs.tailOffset(attempt, lines);
    },
    async state(principal, job) {
      const { size, ended } = await stateOf(await reader.row(principal, job));
      return { logBytes: size, logEnded: ended };
    },
    async *follow(principal, job, { offset: from, tailLines, signal }) {
      let row = await reader.row(principal, job);
      let attempt = attemptOf(row);
      let offset = from ?? 0;
      if (attempt !== null && tailLines !== undefined) offset = await logs.tailOffset(attempt, tailLines);
      const bell = createBell(signal);
      const unlisten = bells.listen(row.publicId, bell.ring);
      try {
        while (!signal.aborted) {
          bell.arm();
          // Only what is over, or has no attempt yet, is looked up again: while it runs, the store alone is asked.
          const live = world.live.jobs.get(row.publicId);
          if (!live || attempt === null) row = await reader.row(principal, job);
          if (attemptOf(row) !== attempt) {
            attempt = attemptOf(row);
            offset = 0;
          }
          const { ended } = await stateOf(row);
          const bytes = attempt === null ? new Uint8Array(0) : await logs.read(attempt, offset, CHUNK_BYTES);
          if (bytes.length > 0) {
            yield { offset, bytes };
            offset += bytes.length;
          } else if (ended) return;
          else await bell.rung();
        }
      } finally {
        unlisten();
        bell.close();
      }
    },
  };
}

/** Wakes one waiter; a ring between `arm` and `rung` is not lost. */
function createBell(signal: AbortSignal) {
  let isRung = false;
  let resolve: (() => void) | null = null;
  const ring = () => {
    isRung = true;
    resolve?.();
  };
  signal.addEventListener("abort", ring);
  return {
    ring,
    arm() {
      isRung = false;
    },
    async rung(): Promise<void> {
      if (isRung || signal.aborted) return;
      await new Promise<void>((done) => {
        resolve = done;
      });
      resolve = null;
    },
    close() {
      signal.removeEventListener("abort", ring);
    },
  };
}
