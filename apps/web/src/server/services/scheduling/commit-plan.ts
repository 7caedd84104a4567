/** Writes a plan down: submissions with their first placements in one statement, placements of waiting jobs in another. */
import { newId } from "@nexus/shared/ids";
import type { Placement } from "../../core/scheduler/snapshot.ts";
import { type InsertedJob, insertJobs, type NewJob, type NewPlace } from "../../db/queries/insert-jobs.ts";
import { type JobPlacement, type PlacedJob, placeJobs } from "../../db/queries/place-jobs.ts";
import type { ServiceContext } from "../service-context.ts";
import type { LiveAttempt, LiveJob } from "./live-jobs.ts";
import type { Start } from "./send-starts.ts";
import type { World } from "./world.ts";

/** What one call of `submitJobs` brings. `jobs` and `drafts` go together by position. */
export type Submission = { jobs: NewJob[]; drafts: LiveJob[]; isImmediate: boolean };

/** Places are made once, so that a retry of the statement names the same attempts. */
export function placeOf(ctx: ServiceContext, world: World, placement: Placement): NewPlace {
  return {
    attempt: newId("attempt", ctx.randomBytes),
    targetId: placement.targetId,
    targetName: world.fleet.get(placement.targetId)?.row.name ?? "",
    gpus: placement.gpus,
  };
}

/**
 * Inserts a batch of submissions. @returns the jobs that are new; the others were submitted before under the same key.
 */
export async function commitSubmissions(
  ctx: ServiceContext,
  world: World,
  submissions: Submission[],
): Promise<{ inserted: Set<string>; starts: Start[] }> {
  const nowMs = ctx.clock.nowMs();
  const rows = await insertJobs(
    ctx.sql,
    submissions.flatMap((submission) => submission.jobs),
    nowMs,
  );
  const byId = new Map<string, InsertedJob>(rows.map((row) => [row.publicId, row]));
  const starts: Start[] = [];
  for (const { jobs, drafts } of submissions) {
    for (const [i, draft] of drafts.entries()) {
      const given = jobs[i];
      const row = byId.get(draft.id);
      if (!given || !row) continue;
      draft.rowId = row.id;
      draft.commandKey = row.commandKey;
      draft.createdAtMs = nowMs;
      world.live.add(draft);
      if (!given.place || row.attemptId === null) continue;
      const attempt = attemptOf(draft, { ...given.place, rowId: row.attemptId, fence: 1, nowMs });
      world.live.assign(draft, attempt, draft.version);
      starts.push({ job: draft, attempt, spec: given });
    }
  }
  return { inserted: new Set(byId.keys()), starts };
}

/** Commits placements of jobs that waited. Those that lost their guard are missing from the answer. */
export async function commitPlacements(
  ctx: ServiceContext,
  world: World,
  placements: Placement[],
): Promise<Start[]> {
  const wanted: JobPlacement[] = [];
  for (const placement of placements) {
    const job = world.live.jobs.get(placement.job);
    if (job) wanted.push({ ...placeOf(ctx, world, placement), jobId: job.rowId, version: job.version });
  }
  if (wanted.length === 0) return [];
  const nowMs = ctx.clock.nowMs();
  const rows: PlacedJob[] = await placeJobs(ctx.sql, wanted, nowMs);
  const byAttempt = new Map(wanted.map((place) => [place.attempt, place]));
  return rows.flatMap((row) => {
    const job = world.live.jobs.get(row.publicId);
    const place = byAttempt.get(row.attempt);
    if (!job || !place) return [];
    const attempt = attemptOf(job, { ...place, rowId: row.attemptId, fence: row.fence, nowMs });
    world.live.assign(job, attempt, row.version);
    return [{ job, attempt, spec: row }];
  });
}

function attemptOf(
  job: LiveJob,
  place: NewPlace & { rowId: number; fence: number; nowMs: number },
): LiveAttempt {
  return {
    id: place.attempt,
    rowId: place.rowId,
    job: job.id,
    teamId: job.teamId,
    user: { id: job.userId, name: job.userName },
    targetId: place.targetId,
    fence: place.fence,
    gpus: place.gpus,
    assignedAtMs: place.nowMs,
    startedAtMs: null,
    pid: null,
    maybeSent: false,
    needsSend: true,
    isEstranged: false,
    logGapAt: null,
    ended: null,
  };
}
