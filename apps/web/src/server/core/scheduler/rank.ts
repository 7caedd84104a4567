/**
 * Orders: which job is next, and which of several places it takes.
 *
 * Jobs: queue priority, job priority, then the user who used least (decayed GPU time, plus a charge for every GPU held now
 * or taken earlier in this plan), then age. Equal priorities form a band; in a band users take turns by their score.
 */
import { type Band, byAge } from "./board.ts";
import type { Fit } from "./feasible.ts";
import type { Policy, QueuedJob, Shape, TeamSnapshot } from "./snapshot.ts";

export type Line = {
  next(): QueuedJob | null;
  /** The user of the job that `next` gave pays for it, placed or waiting, so that the next turn is another's. */
  charge(job: QueuedJob): void;
};

type BandJobs = Band & { users: Map<string, QueuedJob[]> };
type Turn = { userId: string; jobs: QueuedJob[]; at: number };

export function createLine(team: TeamSnapshot, policy: Policy): Line {
  const scores = userScores(team, policy);
  const bands = bandsOf(team);
  let bandAt = -1;
  let turns: Turn[] = [];

  return {
    next() {
      for (;;) {
        sink(turns, 0);
        const turn = turns[0];
        if (turn) {
          const job = turn.jobs[turn.at];
          if (job) {
            turn.at += 1;
            return job;
          }
          const last = turns.pop();
          if (last && turns.length > 0) turns[0] = last;
          continue;
        }
        bandAt += 1;
        const band = bands[bandAt];
        if (!band) return null;
        turns = [...band.users].map(([userId, jobs]) => ({ userId, jobs: jobs.sort(byAge), at: 0 }));
        for (let i = turns.length >> 1; i >= 0; i -= 1) sink(turns, i);
      }
    },
    charge(job) {
      const score = scores.get(job.userId) ?? 0;
      scores.set(job.userId, score + weightOf(job.shape, policy) * policy.chargeMsPerGpu);
    },
  };

  function sink(heap: Turn[], from: number): void {
    let at = from;
    for (;;) {
      let least = at;
      for (const child of [2 * at + 1, 2 * at + 2]) {
        const candidate = heap[child];
        const current = heap[least];
        if (candidate && current && isBefore(candidate, current)) least = child;
      }
      if (least === at) return;
      const [a, b] = [heap[at], heap[least]];
      if (a && b) [heap[at], heap[least]] = [b, a];
      at = least;
    }
  }

  function isBefore(a: Turn, b: Turn): boolean {
    const byScore = (scores.get(a.userId) ?? 0) - (scores.get(b.userId) ?? 0);
    if (byScore !== 0) return byScore < 0;
    const [jobA, jobB] = [a.jobs[a.at], b.jobs[b.at]];
    // A turn without jobs left goes first, to be removed.
    if (!jobA || !jobB) return !jobA && Boolean(jobB);
    return byAge(jobA, jobB) < 0;
  }
}

/** Less is better. The tightest place keeps the wide ones whole; jobs without GPUs spread, and leave GPU machines alone. */
export function compareFits(a: Fit, b: Fit, shape: Shape): number {
  if (shape.gpus === 0) {
    return (
      Number(a.board.slots.length > 0) - Number(b.board.slots.length > 0) ||
      a.board.cpuHolds.length / a.board.cpuJobsMax - b.board.cpuHolds.length / b.board.cpuJobsMax ||
      a.board.target.id - b.board.target.id
    );
  }
  return (
    Number(a.touchesKept) - Number(b.touchesKept) ||
    a.leftover - b.leftover ||
    a.board.target.id - b.board.target.id
  );
}

function weightOf(shape: { gpus: number }, policy: Policy): number {
  return shape.gpus === 0 ? policy.cpuJobWeight : shape.gpus;
}

function userScores(team: TeamSnapshot, policy: Policy): Map<string, number> {
  const scores = new Map(team.usage.map((usage) => [usage.userId, usage.gpuMs]));
  const held = new Map<string, number>();
  for (const job of team.active) {
    const weight = weightOf({ gpus: job.gpus.length }, policy);
    held.set(job.userId, (held.get(job.userId) ?? 0) + weight);
  }
  for (const [userId, weight] of held) {
    scores.set(userId, (scores.get(userId) ?? 0) + weight * policy.chargeMsPerGpu);
  }
  return scores;
}

function bandsOf(team: TeamSnapshot): BandJobs[] {
  const queuePriorities = new Map(team.queues.map((queue) => [queue.id, queue.priority]));
  const bands = new Map<string, BandJobs>();
  for (const job of team.queued) {
    const queuePriority = queuePriorities.get(job.queueId) ?? 0;
    const key = `${queuePriority}:${job.priority}`;
    let band = bands.get(key);
    if (!band) {
      band = { queuePriority, priority: job.priority, users: new Map() };
      bands.set(key, band);
    }
    const jobs = band.users.get(job.userId);
    if (jobs) jobs.push(job);
    else band.users.set(job.userId, [job]);
  }
  return [...bands.values()].sort((a, b) => b.queuePriority - a.queuePriority || b.priority - a.priority);
}
