import { BATCH_ITEMS_MAX } from "@nexus/shared/protocol/limits";
import type { JobStart } from "@nexus/shared/protocol/messages";
import { listStartSpecs, type StartSpecRow } from "../../db/queries/list-start-specs.ts";
import type { ServiceContext } from "../service-context.ts";
import type { LiveAttempt, LiveJob } from "./live-jobs.ts";
import type { World } from "./world.ts";

export type StartSpec = Pick<StartSpecRow, "command" | "env" | "cwd">;
export type Start = { job: LiveJob; attempt: LiveAttempt; spec: StartSpec };

export function startOf({ job, attempt, spec }: Start): JobStart {
  return {
    attempt: attempt.id,
    fence: attempt.fence,
    job: job.id,
    command: spec.command,
    env: spec.env,
    cwd: spec.cwd,
    gpus: attempt.gpus.map((gpu) => gpu.uuid),
    timeoutMs: job.timeoutMs,
    graceMs: job.graceMs,
  };
}

/** Only after the commit. What does not leave now is sent again by the sweep, or when its node comes back. */
export function sendStarts(ctx: ServiceContext, world: World, starts: Start[]): void {
  for (const [targetId, onTarget] of Map.groupBy(starts, (start) => start.attempt.targetId)) {
    for (let at = 0; at < onTarget.length; at += BATCH_ITEMS_MAX) {
      const batch = onTarget.slice(at, at + BATCH_ITEMS_MAX);
      const isReady = world.fleet.get(targetId)?.isReady ?? false;
      if (!isReady || !ctx.hub.send(targetId, { type: "start", jobs: batch.map(startOf) })) continue;
      markSent(world, batch);
    }
  }
}

/** The frame left: `starting`, in memory; the row follows with the next sweep unless the job is faster. */
export function markSent(world: World, starts: Start[]): void {
  for (const { job, attempt } of starts) {
    attempt.maybeSent = true;
    attempt.needsSend = false;
    if (job.state !== "assigned") continue;
    world.live.move(job, "send", job.version);
    world.startingUnsaved.add(job.id);
  }
}

/** Starts of attempts whose commands are not in memory. */
export async function readStarts(
  ctx: ServiceContext,
  world: World,
  attempts: LiveAttempt[],
): Promise<Start[]> {
  if (attempts.length === 0) return [];
  const rows = await listStartSpecs(
    ctx.sql,
    attempts.map((attempt) => attempt.rowId),
  );
  return rows.flatMap((spec) => {
    const attempt = world.live.attempts.get(spec.attempt);
    const job = world.live.jobs.get(spec.job);
    return attempt && job && job.attempt === attempt ? [{ job, attempt, spec }] : [];
  });
}
