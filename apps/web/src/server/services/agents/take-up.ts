/** Attempts that were given up, and whose node is back before their jobs were started anew. */
import type { AttemptInventory } from "@nexus/shared/protocol/messages";
import { createQueueGate, type QueueGate } from "../../core/scheduler/queue-gate.ts";
import { takeUpAttempts } from "../../db/queries/take-up-attempts.ts";
import { announceJobs } from "../announce-jobs.ts";
import type { NodeSession } from "../ports.ts";
import { fleetSnapshot } from "../scheduling/fleet-snapshot.ts";
import type { LiveAttempt, LiveJob } from "../scheduling/live-jobs.ts";
import type { World } from "../scheduling/world.ts";
import type { ServiceContext } from "../service-context.ts";

type TakeUp = { job: LiveJob; attempt: LiveAttempt };

/** In the lane. What runs, or came to an end of its own, need not run again; what died with its machine stays in the line. */
export async function takeUp(
  ctx: ServiceContext,
  world: World,
  { node, named }: { node: NodeSession; named: AttemptInventory[] },
): Promise<void> {
  // An inventory that names an attempt twice means it once.
  const byAttempt = new Map(
    named.flatMap((one) => takeable(world, node, one) ?? []).map((one) => [one.attempt, one]),
  );
  const found = [...byAttempt.values()];
  if (found.length === 0) return;
  const nowMs = ctx.clock.nowMs();
  const going = withRoom(world, { node, found, nowMs });
  if (going.length === 0) return;
  const rows = await takeUpAttempts(
    ctx.sql,
    going.map(({ job, attempt }) => ({
      jobId: job.rowId,
      version: job.version,
      attemptId: attempt.rowId,
      gpuUuids: attempt.gpus.map(({ uuid }) => uuid),
      actor: node.targetName,
      message: `its node is back before it was started anew; try ${attempt.fence} goes on`,
    })),
    nowMs,
  );
  if (rows.length < going.length) world.isStale = true;
  const versions = new Map(rows.map((row) => [row.publicId, row.version]));
  const moved: LiveJob[] = [];
  for (const { job, attempt } of going) {
    const version = versions.get(job.id);
    if (version === undefined) continue;
    world.live.takeUp(job, attempt, version);
    moved.push(job);
  }
  announceJobs(ctx.events, moved);
}

function takeable({ live }: World, node: NodeSession, one: AttemptInventory): TakeUp | null {
  const attempt = live.attempts.get(one.attempt);
  const job = attempt && live.jobs.get(attempt.job);
  if (!job || attempt.targetId !== node.targetId || attempt.fence !== one.fence) return null;
  if (one.exit && one.exit.reason !== "exited" && one.exit.reason !== "timed_out") return null;
  if (!live.isGivenUp(attempt) || job.state !== "queued" || job.fence !== attempt.fence) return null;
  return { job, attempt };
}

/** The limits of their queues may be spent on others by now, and each that goes on counts against them for the next. */
function withRoom(
  world: World,
  { node, found, nowMs }: { node: NodeSession; found: TakeUp[]; nowMs: number },
): TakeUp[] {
  const teams = new Map(fleetSnapshot(world, [], nowMs).teams.map((team) => [team.teamId, team]));
  const gates = new Map<string, QueueGate | null>();
  return found.filter(({ job }) => {
    const team = teams.get(job.teamId);
    const gate = gates.get(job.teamId) ?? (team ? createQueueGate(team, nowMs) : null);
    gates.set(job.teamId, gate);
    const band = { queuePriority: world.queues.get(job.queueId)?.priority ?? 0, priority: job.priority };
    if (gate === null || gate.refusal(job, band) !== null) return false;
    gate.take(job, node.targetName);
    return true;
  });
}
