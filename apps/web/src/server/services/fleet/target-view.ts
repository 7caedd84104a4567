import type { Target } from "@nexus/shared/api/schemas";
import { isHeld } from "../../core/scheduler/snapshot.ts";
import type { LiveJobs } from "../scheduling/live-jobs.ts";
import type { LiveTarget } from "./live-fleet.ts";

/** A target as the API shows it. */
export function targetView(target: LiveTarget, live: LiveJobs, nowMs: number): Target {
  const { row } = target;
  const attempts = live.attemptsOn(row.id).filter((attempt) => attempt.ended === null);
  const holders = new Map<number, Target["gpus"][number]["holders"]>();
  for (const attempt of attempts) {
    const user = attempt.user.name;
    for (const { gpuId, memoryMib } of attempt.gpus) {
      const list = holders.get(gpuId) ?? [];
      list.push({ job: attempt.job, user, gpuMemoryMib: memoryMib });
      holders.set(gpuId, list);
    }
  }
  return {
    id: row.publicId,
    name: row.name,
    kind: row.kind,
    state: row.state,
    stateSinceMs: row.stateSinceMs,
    cordoned: row.cordoned,
    draining: row.draining,
    labels: row.labels,
    facts: row.facts,
    host: target.host,
    // A card that was taken out matters only while something of ours still holds it.
    gpus: [...target.gpus.values()]
      .filter((gpu) => !gpu.isMissing || holders.has(gpu.id))
      .map((gpu) => ({
        ...gpu.facts,
        blocked: gpu.blocked,
        sample: gpu.sample,
        sampledAtMs: gpu.sampledAtMs,
        holders: holders.get(gpu.id) ?? [],
      })),
    jobsActive: attempts.filter((attempt) => !live.isGivenUp(attempt)).length,
    notice: noticeOf(target, nowMs),
    lastSeenAtMs: row.lastSeenAtMs,
    createdAtMs: row.createdAtMs,
  };
}

/** That it takes no starts comes before whatever else it had to say. */
function noticeOf({ notice, view }: LiveTarget, nowMs: number): Target["notice"] {
  if (view.hold === null || !isHeld(view, nowMs)) return notice;
  const { code, message, sinceMs } = view.hold;
  return { level: "error", code, message: `It refuses starts: ${message}.`, atMs: sinceMs };
}
