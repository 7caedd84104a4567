import type { EventBus } from "./ports.ts";

/** Tells whoever watches that these jobs changed, each team its own. */
export function announceJobs(events: EventBus, jobs: Iterable<{ teamId: string; id: string }>): void {
  for (const [teamId, ofTeam] of Map.groupBy(jobs, (job) => job.teamId)) {
    events.emit("job", { teamId, jobs: ofTeam.map((job) => job.id) });
  }
}
