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
  // Nobody will ever tell the end of these: the machine that has them cannot come back as this node.
  const estranged = asked.filter(({ job, attempt }) => attempt.isEstranged && moved.includes(job));
  await endGivenUp(
    ctx,
    world,
    estranged.map(({ attempt, message }) =>
      endedByUs(attempt, { state: "lost", event: "lose", endReason: "lost", message, endedAtMs: nowMs }),
    ),
  );
  announceJobs(ctx.events, moved);
  return moved;
}
