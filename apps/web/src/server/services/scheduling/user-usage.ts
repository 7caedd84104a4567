/**
 * GPU time of each user, decayed: what fair share goes by. Owns the sums of ended jobs; running ones are added when asked.
 * A sum is kept as of the moment it was written and decayed when read, so nothing ticks.
 */
import type { UserUsage } from "../../core/scheduler/snapshot.ts";
import type { UsageRow } from "../../db/queries/list-usage.ts";
import type { LiveJob } from "./live-jobs.ts";

/** What holds GPUs now. */
export type UsageHolder = Pick<LiveJob, "userId" | "userName" | "attempt">;

export type UserUsages = {
  load(rows: UsageRow[], nowMs: number): void;
  /** A job of the user held this many GPUs from then until now. */
  add(job: Pick<LiveJob, "teamId" | "userId" | "userName">, gpuMs: number, nowMs: number): void;
  /** With the GPU time that jobs which still run used so far. */
  list(teamId: string, active: readonly UsageHolder[], nowMs: number): UserUsage[];
};

type Sum = { userId: string; userName: string; gpuMs: number; asOfMs: number };

export function createUserUsages(halfLifeMs: number): UserUsages {
  const teams = new Map<string, Map<string, Sum>>();

  function sumOf(teamId: string, user: { userId: string; userName: string }, nowMs: number): Sum {
    const team = teams.get(teamId) ?? new Map<string, Sum>();
    teams.set(teamId, team);
    const sum = team.get(user.userId) ?? {
      userId: user.userId,
      userName: user.userName,
      gpuMs: 0,
      asOfMs: nowMs,
    };
    team.set(user.userId, sum);
    return sum;
  }
  const decayed = (sum: Sum, nowMs: number) =>
    sum.gpuMs * 0.5 ** (Math.max(0, nowMs - sum.asOfMs) / halfLifeMs);

  return {
    load(rows, nowMs) {
      teams.clear();
      for (const row of rows) sumOf(row.teamId, row, nowMs).gpuMs = row.gpuMs;
    },
    add(job, gpuMs, nowMs) {
      const sum = sumOf(job.teamId, job, nowMs);
      sum.gpuMs = decayed(sum, nowMs) + gpuMs;
      sum.asOfMs = nowMs;
    },
    list(teamId, active, nowMs) {
      const usage = new Map<string, UserUsage>();
      for (const sum of teams.get(teamId)?.values() ?? []) {
        usage.set(sum.userId, { userId: sum.userId, userName: sum.userName, gpuMs: decayed(sum, nowMs) });
      }
      for (const { userId, userName, attempt } of active) {
        if (!attempt || attempt.startedAtMs === null || attempt.gpus.length === 0) continue;
        const one = usage.get(userId) ?? { userId, userName, gpuMs: 0 };
        one.gpuMs += attempt.gpus.length * Math.max(0, nowMs - attempt.startedAtMs);
        usage.set(userId, one);
      }
      return [...usage.values()];
    },
  };
}
