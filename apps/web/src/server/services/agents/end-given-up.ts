import { type EndedAttempt, endAttempts } from "../../db/queries/end-attempts.ts";
import type { World } from "../scheduling/world.ts";
import type { ServiceContext } from "../service-context.ts";

/** What became of attempts that were given up: no job moves, what they held is free and charged, and their logs are theirs. In the lane. */
export async function endGivenUp(ctx: ServiceContext, world: World, ended: EndedAttempt[]): Promise<void> {
  if (ended.length === 0) return;
  await endAttempts(ctx.sql, ended);
  const nowMs = ctx.clock.nowMs();
  for (const end of ended) {
    const attempt = world.live.attempts.get(end.attempt);
    if (!attempt) continue;
    const target = world.fleet.get(attempt.targetId);
    const { user, gpus, startedAtMs } = attempt;
    const owner = { teamId: attempt.teamId, userId: user.id, userName: user.name };
    if (startedAtMs !== null && gpus.length > 0)
      world.usage.add(owner, gpus.length * Math.max(0, end.endedAtMs - startedAtMs), nowMs);
    for (const { uuid } of attempt.gpus) {
      const gpu = target?.gpus.get(uuid);
      if (gpu) gpu.view.freedAtMs = nowMs;
    }
    world.live.endAttempt(attempt, end.logBytes ?? 0);
    if (end.isClosed) world.live.closeAttempt(attempt);
    const { teamId, job } = attempt;
    ctx.events.emit("job", { teamId, jobs: [job] });
    const log = { teamId, job, attempt: attempt.id, logBytes: end.logBytes ?? 0, ended: end.isClosed };
    ctx.events.emit("log", log);
    if (target) ctx.events.emit("target", { teamId, target: target.row.publicId, removed: false });
  }
}
