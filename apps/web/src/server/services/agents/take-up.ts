/** Attempts that were given up, and whose node is back before their jobs were started anew. */
import type { AttemptInventory } from "@nexus/shared/protocol/messages";
import { createQueueGate } from "../../core/scheduler/queue-gate.ts";
import { takeUpAttempts } from "../../db/queries/take-up-attempts.ts";
import { announceJobs } from "../announce-jobs.ts";
import type { NodeSession } from "../ports.ts";
import { fleetSnapshot } from "../scheduling/fleet-snapshot.ts";
import type { LiveAttempt, LiveJob } from "../scheduling/live-jobs.ts";
import type { World } from "../scheduling/world.ts";
import type { ServiceContext } from "../service-context.ts";

/** In the lane. What runs, or came to an end of its own, need not run again; what died with its machine stays in the line. */
export async function takeUp(
  ctx: ServiceContext,
  world: World,
  { node, named }: { node: NodeSession; named: AttemptInventory[] },
): Promise<void> {
  const { live } = world;
  for (const one of named) {
    const attempt = live.attempts.get(one.attempt);
    const job = attempt && live.jobs.get(attempt.job);
    if (!job || attempt.targetId !== node.targetId || attempt.fence !== one.fence) continue;
    if (one.exit && one.exit.reason !== "exited" && one.exit.reason !== "timed_out") continue;
    if (!live.isGivenUp(attempt) || job.state !== "queued" || job.fence !== attempt.fence) continue;
    // Each counts against the limits for the next: one statement for each of the few that there ever are.
    if (hasRoom(ctx, world, job)) await takeUpOne(ctx, world, { node, job, attempt });
  }
}

async function takeUpOne(
  ctx: ServiceContext,
  world: World,
  { node, job, attempt }: { node: NodeSession; job: LiveJob; attempt: LiveAttempt },
): Promise<void> {
  const taken = {
    jobId: job.rowId,
    version: job.version,
    attemptId: attempt.rowId,
    gpuUuids: attempt.gpus.map(({ uuid }) => uuid),
    actor: node.targetName,
    message: `its node is back before it was started anew; try ${attempt.fence} goes on`,
  };
  const [row] = await takeUpAttempts(ctx.sql, [taken], ctx.clock.nowMs());
  if (!row) {
    world.isStale = true;
    return;
  }
  world.live.takeUp(job, attempt, row.version);
  announceJobs(ctx.events, [job]);
}

/** The limits of its queue may be spent on others by now. */
function hasRoom(ctx: ServiceContext, world: World, job: LiveJob): boolean {
  const nowMs = ctx.clock.nowMs();
  const team = fleetSnapshot(world, [], nowMs).teams.find(({ teamId }) => teamId === job.teamId);
  const band = { queuePriority: world.queues.get(job.queueId)?.priority ?? 0, priority: job.priority };
  return team !== undefined && createQueueGate(team, nowMs).refusal(job, band) === null;
}
