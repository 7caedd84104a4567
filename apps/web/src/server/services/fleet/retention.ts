/**
 * Forgets what is too old: samples of GPUs, logs that their teams keep no longer, and ended jobs with their attempts and
 * histories. Owns: when it looks next, how far it is among the jobs, and the logs that could not be removed this time. States:
 * resting until the next look; clearing, a small piece a step, until a piece was not full. Invariants: a log goes
 * before the rows that name it, so that a crash in between leaves nothing that nobody knows of; what a node may still speak
 * of, and every job that has not ended, stays; a log that cannot be removed keeps its own job and no other. A clock that jumped
 * makes everything old at once: nothing is forgotten for a day then, and a person is told; a date that was set right again
 * before is as if nothing had been.
 */
import { deleteGpuSamples } from "../../db/queries/delete-gpu-samples.ts";
import { deleteJobs } from "../../db/queries/delete-jobs.ts";
import { type ExpiredJob, listExpiredJobs } from "../../db/queries/list-expired-jobs.ts";
import { listExpiredLogs } from "../../db/queries/list-expired-logs.ts";
import { markLogsRemoved } from "../../db/queries/mark-logs-removed.ts";
import type { ServiceContext } from "../service-context.ts";

export type Retention = {
  /** One piece, if something is due. */
  step(): Promise<void>;
};

const LOOK_EVERY_MS = 3_600_000;
/** Some 50 ms of Postgres each. */
const SAMPLES_A_STEP = 20_000;
const JOBS_A_STEP = 200;
/** A log of 1 GiB is 16 files. */
const LOGS_A_STEP = 50;
/** More than these cannot be removed: then the disk is at fault, and the next look is early enough. */
const STUCK_MAX = 100;
/** Between two steps, which are a second apart. A machine that slept for so long looks the same, and loses nothing by it. */
const JUMP_MS = 86_400_000;
const HOLD_MS = 86_400_000;

export function createRetention({ sql, logs, clock, timing, log }: ServiceContext): Retention {
  let lookAtMs = Number.NEGATIVE_INFINITY;
  let steppedAtMs: number | null = null;
  let after: ExpiredJob | null = null;
  const stuck = new Map<string, unknown>();

  return {
    async step() {
      const nowMs = clock.nowMs();
      watchClock(nowMs);
      if (nowMs < lookAtMs) return;
      const hasMore = [await forgetSamples(nowMs), await forgetLogs(nowMs), await forgetJobs(nowMs)];
      if (hasMore.includes(true) && stuck.size < STUCK_MAX) return;
      lookAtMs = nowMs + LOOK_EVERY_MS;
      after = null;
      tellStuck();
    },
  };

  function watchClock(nowMs: number): void {
    const jumpMs = nowMs - (steppedAtMs ?? nowMs);
    steppedAtMs = nowMs;
    if (jumpMs < -JUMP_MS) lookAtMs = nowMs;
    if (jumpMs <= JUMP_MS) return;
    lookAtMs = nowMs + HOLD_MS;
    const days = Math.round(jumpMs / JUMP_MS);
    log("error", `the clock jumped by ${days} days; nothing is forgotten for a day: is its date right?`);
  }

  async function forgetSamples(nowMs: number): Promise<boolean> {
    const count = await deleteGpuSamples(sql, nowMs - timing.sampleKeepMs, SAMPLES_A_STEP);
    return count === SAMPLES_A_STEP;
  }

  /** The log before the mark: after a crash in between it is removed once more, and never believed to be there. */
  async function forgetLogs(nowMs: number): Promise<boolean> {
    const { logKeepDays: keepDays, logBytesMax: bytesMax } = timing;
    const except = [...stuck.keys()];
    const expired = await listExpiredLogs(sql, { nowMs, keepDays, bytesMax, limit: LOGS_A_STEP, except });
    const removed: number[] = [];
    for (const { id, attempt } of expired) if (await remove(attempt)) removed.push(id);
    if (removed.length > 0) await markLogsRemoved(sql, removed, nowMs);
    return expired.length === LOGS_A_STEP;
  }

  async function forgetJobs(nowMs: number): Promise<boolean> {
    if (timing.historyKeepMs === null) return false;
    const beforeMs = nowMs - timing.historyKeepMs;
    const jobs = await listExpiredJobs(sql, { beforeMs, limit: JOBS_A_STEP, after });
    const cleared: number[] = [];
    for (const { id, attempts } of jobs) {
      const areRemoved = [];
      for (const attempt of attempts) areRemoved.push(await remove(attempt));
      if (!areRemoved.includes(false)) cleared.push(id);
    }
    if (cleared.length > 0) await deleteJobs(sql, cleared);
    after = jobs.at(-1) ?? after;
    return jobs.length === JOBS_A_STEP;
  }

  async function remove(attempt: string): Promise<boolean> {
    if (stuck.has(attempt)) return false;
    try {
      await logs.remove(attempt);
      return true;
    } catch (cause) {
      stuck.set(attempt, cause);
      return false;
    }
  }

  function tellStuck(): void {
    const [first] = stuck;
    if (!first) return;
    const [attempt, cause] = first;
    const facts = { logs: stuck.size, attempt, error: String(cause) };
    log(
      "error",
      "logs that are too old cannot be removed; their jobs stay, and this is tried again in an hour",
      facts,
    );
    stuck.clear();
  }
}
