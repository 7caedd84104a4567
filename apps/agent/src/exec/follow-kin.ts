/**
 * Remembers the processes of jobs that have no cgroup, so that one whose ancestors have ended stays known to be the job's,
 * also when it has left the group, cleared its environment and closed the log.
 *
 * Owns: one timer, and what the looks write into each attempt's `kin`.
 * Invariants: looks come close together after a job began (0.1, 0.2, 0.4 … s), when daemons detach, and then every few
 * seconds; they take at most about a fiftieth of the agent's time; without such a job there are none.
 * A process that detaches in all these ways between two looks is not seen. Only a cgroup contains it.
 */
import { membersOfTrees } from "./end-trees.ts";
import { type LiveAttempt, treeOf } from "./live-attempt.ts";
import type { ProcessTable } from "./process-row.ts";

export type KinFollower = {
  /** A job has begun. */
  lookSoon(): void;
  close(): void;
};

const FIRST_LOOK_AFTER_MS = 100;
const REST_PER_LOOK = 50;

export function createKinFollower(options: {
  table: ProcessTable;
  nowMs(): number;
  /** At most this long between looks. */
  everyMs: number;
  running(): LiveAttempt[];
}): KinFollower {
  const { table, nowMs } = options;
  let timer: NodeJS.Timeout | null = null;
  let timerAtMs = 0;
  let notBeforeMs = 0;
  let delayMs = FIRST_LOOK_AFTER_MS;
  let isClosed = false;

  function lookIn(afterMs: number): void {
    if (isClosed) return;
    const atMs = Math.max(nowMs() + afterMs, notBeforeMs);
    if (timer !== null && timerAtMs <= atMs) return;
    if (timer !== null) clearTimeout(timer);
    timerAtMs = atMs;
    timer = setTimeout(look, Math.max(0, atMs - nowMs())).unref();
  }

  function look(): void {
    timer = null;
    const lives = options.running();
    if (lives.length === 0) return;
    const beganMs = nowMs();
    const members = membersOfTrees(lives.map(treeOf), table);
    for (const [at, live] of lives.entries()) {
      live.kin = new Map(members[at]?.map(({ pid, startTime }) => [pid, startTime]));
    }
    notBeforeMs = nowMs() + (nowMs() - beganMs) * REST_PER_LOOK;
    delayMs = Math.min(delayMs * 2, options.everyMs);
    lookIn(delayMs);
  }

  return {
    lookSoon() {
      delayMs = FIRST_LOOK_AFTER_MS;
      lookIn(delayMs);
    },
    close() {
      isClosed = true;
      if (timer !== null) clearTimeout(timer);
    },
  };
}
