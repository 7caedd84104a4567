/**
 * Everything that scheduling knows, in one place: live jobs, live fleet, queues, fair share, and what the last plan kept.
 * Owns: the loading of it. Invariants: after `load` memory says what the database said at one moment between the calls of
 * the write lane; what only memory knows (sessions, samples, sent starts, reservations) survives a reload. When the outcome
 * of a write is not known (a piece of the write lane failed), `isStale` is set, and nothing is planned until a reload.
 */
import type { Reservation } from "../../core/scheduler/snapshot.ts";
import { shapeOf } from "../../core/scheduler/snapshot.ts";
import { listFleet } from "../../db/queries/list-fleet.ts";
import { listGpus } from "../../db/queries/list-gpus.ts";
import { type LiveJobRow, listLiveJobs } from "../../db/queries/list-live-jobs.ts";
import { listOpenAttempts, type OpenAttemptRow } from "../../db/queries/list-open-attempts.ts";
import { listQueues, type QueueRow } from "../../db/queries/list-queues.ts";
import { listRunTimes } from "../../db/queries/list-run-times.ts";
import { listUsage } from "../../db/queries/list-usage.ts";
import { createLiveFleet, type LiveFleet } from "../fleet/live-fleet.ts";
import type { ServiceContext } from "../service-context.ts";
import { activeViewOf, createLiveJobs, type LiveAttempt, type LiveJob, type LiveJobs } from "./live-jobs.ts";
import { createRunTimes, type RunTimes } from "./run-times.ts";
import { createUserUsages, type UserUsages } from "./user-usage.ts";

export type World = {
  live: LiveJobs;
  readonly fleet: LiveFleet;
  readonly usage: UserUsages;
  readonly runTimes: RunTimes;
  queues: Map<number, QueueRow>;
  reservations: Map<string, Reservation[]>;
  /** Waiting jobs in the order of the last plan, by team. */
  line: Map<string, string[]>;
  /** Teams with a job that waits for data or for foreign memory: a new sample may end that. */
  readonly waitsForSamples: Set<string>;
  /** Jobs whose start left and whose row still says `assigned`. */
  readonly startingUnsaved: Set<string>;
  isStale: boolean;
  load(): Promise<void>;
  /** What a reload need not read again: nothing but this process adds to it. */
  loadHistory(): Promise<void>;
};

const HISTORY_JOBS = 5_000;

export function createWorld(ctx: ServiceContext): World {
  const { sql, clock, timing } = ctx;
  const world: World = {
    live: createLiveJobs(),
    fleet: createLiveFleet(),
    usage: createUserUsages(timing.usageHalfLifeMs),
    runTimes: createRunTimes(),
    queues: new Map(),
    reservations: new Map(),
    line: new Map(),
    waitsForSamples: new Set(),
    startingUnsaved: new Set(),
    isStale: true,
    async loadHistory() {
      world.runTimes.load(await listRunTimes(sql, HISTORY_JOBS));
    },
    async load() {
      const nowMs = clock.nowMs();
      // One transaction, so that jobs, attempts and leases are of the same moment.
      const [targets, gpus, queues, jobs, attempts, usage] = await sql.begin(
        "isolation level repeatable read read only",
        (tx) =>
          Promise.all([
            listFleet(tx, null),
            listGpus(tx, null),
            listQueues(tx),
            listLiveJobs(tx),
            listOpenAttempts(tx),
            listUsage(tx, { nowMs, halfLifeMs: timing.usageHalfLifeMs }),
          ]),
      );
      const gpusOf = Map.groupBy(gpus, (gpu) => gpu.targetId);
      const present = new Set(targets.map((row) => row.id));
      for (const row of targets) world.fleet.put(row, gpusOf.get(row.id) ?? []);
      for (const { row } of [...world.fleet.targets()]) if (!present.has(row.id)) world.fleet.remove(row.id);
      world.queues = new Map(queues.map((queue) => [queue.id, queue]));
      world.usage.load(usage, nowMs);
      world.live = liveFrom(jobs, attempts, world.live);
      world.isStale = false;
    },
  };
  return world;
}

function liveFrom(jobs: LiveJobRow[], attempts: OpenAttemptRow[], before: LiveJobs): LiveJobs {
  const live = createLiveJobs();
  const byJob = new Map<string, LiveAttempt>();
  for (const row of attempts) {
    const attempt = attemptFrom(row, before.attempts.get(row.publicId));
    if (row.isLatest) byJob.set(row.job, attempt);
    else live.addFormerAttempt(attempt);
  }
  for (const row of jobs) {
    const known = before.jobs.get(row.publicId);
    const job = jobFrom(row, known);
    const attempt = byJob.get(job.id);
    if (attempt && job.state !== "queued") {
      job.attempt = attempt;
      job.activeView = activeViewOf(job, attempt);
    }
    live.add(job);
  }
  return live;
}

function jobFrom(row: LiveJobRow, known: LiveJob | undefined): LiveJob {
  const { gpus, gpuMemoryMib, gpuModel, labels, wantedTargetId, wantedTargetName } = row;
  const wanted =
    wantedTargetId === null ? null : { id: wantedTargetId, name: wantedTargetName ?? "a target that left" };
  const { userId, userName, queueId, priority, createdAtMs, timeoutMs, graceMs, teamId, version } = row;
  const { retry, retriesUsed, attemptNumber: fence } = row;
  // A start that left is written down lazily.
  const state =
    row.state === "assigned" && known?.state === "starting" && known.version === version
      ? "starting"
      : row.state;
  return {
    id: row.publicId,
    rowId: row.id,
    ...{ userId, userName, queueId, priority, createdAtMs, timeoutMs, graceMs, teamId, version, state },
    ...{ fence, retry, retriesUsed, silentMs: known?.silentMs ?? 0 },
    commandKey: row.commandKey,
    shape: shapeOf({ gpus, gpuMemoryMib, gpuModel, labels, wanted }),
    backoff: known?.backoff ?? null,
    reason: known?.reason ?? { code: "new" },
    cancel: row.isCancelRequested
      ? { graceMs: row.cancelGraceMs ?? graceMs, isAsked: known?.cancel?.isAsked ?? false }
      : null,
    attempt: null,
    activeView: null,
  };
}

function attemptFrom(row: OpenAttemptRow, known: LiveAttempt | undefined): LiveAttempt {
  const { job, teamId, userId, userName, targetId, fence, gpus, assignedAtMs, startedAtMs, pid } = row;
  return {
    id: row.publicId,
    rowId: row.id,
    user: { id: userId, name: userName },
    ...{ job, teamId, targetId, fence, gpus, assignedAtMs, startedAtMs, pid },
    // One that we did not commit ourselves may have been sent by the process before us.
    maybeSent: known?.maybeSent ?? true,
    needsSend: known?.needsSend ?? startedAtMs === null,
    isEstranged: row.isEstranged && startedAtMs === null,
    logGapAt: row.logGapAt,
    ended: row.endedAtMs === null ? null : { logBytes: row.logBytes ?? 0 },
  };
}
