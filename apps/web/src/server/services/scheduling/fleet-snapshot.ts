import type { FleetSnapshot, QueuedJob, TeamSnapshot } from "../../core/scheduler/snapshot.ts";
import type { LiveTarget } from "../fleet/live-fleet.ts";
import { givenUpView, type LiveAttempt } from "./live-jobs.ts";
import type { UsageHolder } from "./user-usage.ts";
import type { World } from "./world.ts";

/** A job that is being submitted: planned with, and committed together with its placement. */
export type DraftJob = QueuedJob & { teamId: string };

/** What the planner sees now. It shares the live objects, so it is good until the next change. */
export function fleetSnapshot(world: World, drafts: readonly DraftJob[], nowMs: number): FleetSnapshot {
  const { live, fleet, usage } = world;
  const targets = Map.groupBy(fleet.targets(), (target: LiveTarget) => target.row.teamId);
  const queues = Map.groupBy(world.queues.values(), (queue) => queue.teamId);
  const draftsOf = Map.groupBy(drafts, (draft) => draft.teamId);
  const teamIds = new Set([...live.teams(), ...draftsOf.keys()]);
  const teams: TeamSnapshot[] = [];
  for (const teamId of teamIds) {
    const queued = [...live.queued(teamId), ...(draftsOf.get(teamId) ?? [])];
    if (queued.length === 0) continue;
    const active = live.active(teamId);
    for (const job of active) if (job.activeView) job.activeView.pastRunsMs = world.runTimes.of(job);
    const givenUp = live.givenUp(teamId);
    teams.push({
      teamId,
      targets: (targets.get(teamId) ?? []).map((target) => target.view),
      queues: queues.get(teamId) ?? [],
      queued,
      active: active.flatMap((job) => job.activeView ?? []),
      givenUp: givenUp.map(givenUpView),
      usage: usage.list(teamId, [...active, ...givenUp.map(holderOf)], nowMs),
      reservations: world.reservations.get(teamId) ?? [],
    });
  }
  return { teams };
}

/** Its GPUs are not free before it has ended, and it is charged for them until then, and once, also when it is taken up again. */
function holderOf(attempt: LiveAttempt): UsageHolder {
  return { userId: attempt.user.id, userName: attempt.user.name, attempt };
}
