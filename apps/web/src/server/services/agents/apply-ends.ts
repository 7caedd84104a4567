import type { JobEvent } from "@nexus/shared/machines/job";
import type { EndedAttempt } from "../../db/queries/end-attempts.ts";
import type { ChangedJob } from "../../db/queries/record-started.ts";
import { announceJobs } from "../announce-jobs.ts";
import type { World } from "../scheduling/world.ts";
import type { ServiceContext } from "../service-context.ts";

/** Takes committed ends into the live jobs: frees what the attempts held, charges their users, tells who watches. */
export function applyEnds(
  ctx: ServiceContext,
  world: World,
  { ended, changed }: { ended: EndedAttempt[]; changed: ChangedJob[] },
): void {
  const { live, fleet } = world;
  // Each was the latest attempt of an active job when it was asked for: somebody else was first.
  if (changed.length < ended.length) world.isStale = true;
  const nowMs = ctx.clock.nowMs();
  const versions = new Map(changed.map((row) => [row.publicId, row.version]));
  const jobs: { teamId: string; id: string }[] = [];
  const targets = new Set<number>();
  for (const end of ended) {
    const attempt = live.attempts.get(end.attempt);
    if (!attempt) continue;
    const job = live.jobs.get(end.job);
    const version = versions.get(end.job);
    if (job && job.attempt === attempt && version !== undefined) {
      const startedAtMs = attempt.startedAtMs ?? end.startedAtMs;
      if (startedAtMs !== null && end.state === "succeeded") {
        world.runTimes.add(job, Math.max(0, end.endedAtMs - startedAtMs));
      }
      if (startedAtMs !== null && attempt.gpus.length > 0) {
        world.usage.add(job, attempt.gpus.length * Math.max(0, end.endedAtMs - startedAtMs), nowMs);
      }
      live.move(job, end.event as JobEvent, version);
      jobs.push(job);
    }
    const target = fleet.get(attempt.targetId);
    for (const { uuid } of attempt.gpus) {
      const gpu = target?.gpus.get(uuid);
      if (gpu) gpu.view.freedAtMs = nowMs;
    }
    targets.add(attempt.targetId);
    live.endAttempt(attempt, end.logBytes ?? 0);
    if (end.isClosed) live.closeAttempt(attempt);
    if (end.state !== "queued") {
      const { teamId, job: id } = attempt;
      const log = { teamId, job: id, attempt: attempt.id, logBytes: end.logBytes ?? 0, ended: end.isClosed };
      ctx.events.emit("log", log);
    }
  }
  announceJobs(ctx.events, jobs);
  for (const targetId of targets) {
    const target = fleet.get(targetId);
    if (target)
      ctx.events.emit("target", { teamId: target.row.teamId, target: target.row.publicId, removed: false });
  }
}
