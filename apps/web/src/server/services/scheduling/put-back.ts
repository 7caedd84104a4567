import { type JobRequeue, requeueJobs } from "../../db/queries/requeue-jobs.ts";
import { endGivenUp } from "../agents/end-given-up.ts";
import { endedByUs } from "../agents/ended-by-us.ts";
import { announceJobs } from "../announce-jobs.ts";
import type { LiveTarget } from "../fleet/live-fleet.ts";
import type { ServiceContext } from "../service-context.ts";
import type { LiveAttempt, LiveJob } from "./live-jobs.ts";
import type { World } from "./world.ts";

export type PutBack = {
  job: LiveJob;
  attempt: LiveAttempt;
} & Pick<JobRequeue, "actor" | "message" | "isByRule">;

/** A node that is here is about to say what it has; only what another machine may have is not its to say. */
export function isSilent(target: Pick<LiveTarget, "sessionId">, attempt: LiveAttempt): boolean {
  return target.sessionId === null || attempt.isEstranged;
}

/**
 * Gives up the attempts of unreachable jobs and puts the jobs back in the line; in the lane. What an attempt holds stays held:
 * it may run on where it is. @returns the jobs that wait now.
 */
export async function putBack(ctx: ServiceContext, world: World, asked: PutBack[]): Promise<LiveJob[]> {
  if (asked.length === 0) return [];
  const nowMs = ctx.clock.nowMs();
  const rows = await requeueJobs(
    ctx.sql,
    asked.map(({ job, attempt, actor, message, isByRule }) => {
      return { jobId: job.rowId, version: job.version, attemptId: attempt.rowId, actor, message, isByRule };
    }),
    nowMs,
  );
  const versions = new Map(rows.map((row) => [row.publicId, row.version]));
  if (rows.length < asked.length) world.isStale = true;
  const moved: LiveJob[] = [];
  for (const { job, attempt, isByRule } of asked) {
    const version = versions.get(job.id);
    if (version === undefined) continue;
    world.live.move(job, "requeue", version);
    if (isByRule) job.retriesUsed += 1;
    moved.push(job);
    // Who follows the log goes on with the next attempt.
    const { teamId, id } = attempt;
    ctx.events.emit("log", { teamId, job: job.id, attempt: id, logBytes: 0, ended: true });
  }
  await endEstranged(ctx, world);
  announceJobs(ctx.events, moved);
  return moved;
}

/**
 * Ends what was given up of a machine that cannot come back as its node: nobody else will ever tell its end. In the lane; again
 * by the sweep, since a control plane may die between giving up and this. @returns whether there was any.
 */
export async function endEstranged(ctx: ServiceContext, world: World): Promise<boolean> {
  const { live, fleet } = world;
  const left = [...live.attempts.values()].filter(
    (attempt) => attempt.isEstranged && !attempt.ended && live.isGivenUp(attempt),
  );
  await endGivenUp(
    ctx,
    world,
    left.map((attempt) => {
      const name = fleet.get(attempt.targetId)?.row.name ?? "its node";
      const message = `given up, and another machine came as ${name}: how it ended is never told`;
      const lost = { state: "lost", event: "lose", endReason: "lost", message } as const;
      return endedByUs(attempt, { ...lost, endedAtMs: ctx.clock.nowMs() });
    }),
  );
  return left.length > 0;
}
