/** Statements that only read, as their namesakes in apps/web/src/server/db/queries. */
import type { FoundAttempt } from "../../../apps/web/src/server/db/queries/find-attempts.ts";
import type { JobRow } from "../../../apps/web/src/server/db/queries/job-row.ts";
import type { TargetRow } from "../../../apps/web/src/server/db/queries/list-fleet.ts";
import type { GpuRow } from "../../../apps/web/src/server/db/queries/list-gpus.ts";
import type { LiveJobRow } from "../../../apps/web/src/server/db/queries/list-live-jobs.ts";
import type { OpenAttemptRow } from "../../../apps/web/src/server/db/queries/list-open-attempts.ts";
import type { RunTimeRow } from "../../../apps/web/src/server/db/queries/list-run-times.ts";
import type { StartSpecRow } from "../../../apps/web/src/server/db/queries/list-start-specs.ts";
import type { UsageRow } from "../../../apps/web/src/server/db/queries/list-usage.ts";
import { gpuRow } from "./fleet-statements.ts";
import { commandKeyOf } from "./job-statements.ts";
import { isActiveRow, type JobTableRow, type Tables } from "./tables.ts";

export function listLiveJobs(tables: Tables): LiveJobRow[] {
  return [...tables.liveJobs].map((row) => ({
    id: row.id,
    publicId: row.publicId,
    teamId: row.teamId,
    queueId: row.queueId,
    userId: row.userId,
    userName: tables.users.get(row.userId) ?? "",
    priority: row.priority,
    gpus: row.gpus,
    gpuMemoryMib: row.gpuMemoryMib,
    gpuModel: row.gpuModel,
    timeoutMs: row.timeoutMs,
    graceMs: row.graceMs,
    retry: row.retry,
    retriesUsed: row.retriesUsed,
    wantedTargetId: row.wantedTargetId,
    wantedTargetName: nameOf(tables, row.wantedTargetId),
    labels: row.labels,
    state: row.state,
    version: row.version,
    attemptNumber: row.attemptNumber,
    cancelGraceMs: row.cancelGraceMs,
    isCancelRequested: row.cancelRequestedAtMs !== null,
    createdAtMs: Math.round(row.createdAtMs),
    commandKey: commandKeyOf(row),
  }));
}

export function listOpenAttempts(tables: Tables): OpenAttemptRow[] {
  return [...tables.openAttempts].flatMap((attempt) => {
    const row = tables.jobs.get(attempt.jobId);
    if (row === undefined) return [];
    const gpus = tables.leases
      .filter(({ attemptId }) => attemptId === attempt.id)
      .sort((a, b) => a.gpuId - b.gpuId)
      .map(({ gpuId, memoryMib }) => ({ gpuId, uuid: tables.gpus.get(gpuId)?.uuid ?? "", memoryMib }));
    return {
      id: attempt.id,
      publicId: attempt.publicId,
      job: row.publicId,
      teamId: row.teamId,
      userId: row.userId,
      userName: tables.users.get(row.userId) ?? "",
      targetId: attempt.targetId,
      fence: attempt.fence,
      isLatest: row.attemptId === attempt.id && isActiveRow(row),
      pid: attempt.pid,
      assignedAtMs: Math.round(attempt.createdAtMs),
      startedAtMs: rounded(attempt.startedAtMs),
      endedAtMs: rounded(attempt.endedAtMs),
      logBytes: attempt.logBytes,
      logGapAt: attempt.logGapAt,
      isEstranged: attempt.estrangedAtMs !== null,
      gpus,
    };
  });
}

export function listFleet(tables: Tables, only: number | null): TargetRow[] {
  return [...tables.targets.values()]
    .filter(({ id, revokedAtMs }) => revokedAtMs === null && (only === null || id === only))
    .map((row) => ({
      id: row.id,
      publicId: row.publicId,
      teamId: row.teamId,
      name: row.name,
      kind: "agent",
      state: row.state,
      stateSinceMs: Math.round(row.stateSinceMs),
      cordoned: row.cordoned,
      draining: row.draining,
      labels: row.labels,
      facts: row.facts,
      createdAtMs: row.createdAtMs,
      lastSeenAtMs: row.lastSeenAtMs,
    }));
}

export function listGpus(tables: Tables, only: number | null): GpuRow[] {
  return [...tables.gpus.values()].filter(({ targetId }) => only === null || targetId === only).map(gpuRow);
}

export function listQueues(tables: Tables) {
  return [...tables.queues.values()].map((queue) => ({ ...queue }));
}

export function listUsage(
  tables: Tables,
  { nowMs, halfLifeMs }: { nowMs: number; halfLifeMs: number },
): UsageRow[] {
  const sums = new Map<string, UsageRow>();
  for (const { jobId, endedAtMs, startedAtMs } of tables.attempts.values()) {
    const job = tables.jobs.get(jobId);
    if (job === undefined || job.gpus === 0 || endedAtMs === null || startedAtMs === null) continue;
    if (job.endedAtMs !== null && job.endedAtMs <= nowMs - 12 * halfLifeMs) continue;
    const { teamId, userId } = job;
    const sum = sums.get(userId) ?? { teamId, userId, userName: tables.users.get(userId) ?? "", gpuMs: 0 };
    sum.gpuMs += job.gpus * (endedAtMs - startedAtMs) * 0.5 ** ((nowMs - endedAtMs) / halfLifeMs);
    sums.set(userId, sum);
  }
  return [...sums.values()];
}

export function listRunTimes(tables: Tables, jobsMax: number): RunTimeRow[] {
  return [...tables.jobs.values()]
    .sort((a, b) => b.id - a.id)
    .slice(0, jobsMax)
    .flatMap((row) => {
      const { teamId, userId, queueId, state, startedAtMs, endedAtMs } = row;
      if (state !== "succeeded" || startedAtMs === null || endedAtMs === null) return [];
      return {
        teamId,
        userId,
        queueId,
        commandKey: commandKeyOf(row),
        ranMs: Math.round(endedAtMs - startedAtMs),
      };
    });
}

export function listStartSpecs(tables: Tables, attemptIds: number[]): StartSpecRow[] {
  return attemptIds.flatMap((id) => {
    const attempt = tables.attempts.get(id);
    const row = attempt && tables.jobs.get(attempt.jobId);
    if (attempt === undefined || row === undefined || attempt.endedAtMs !== null) return [];
    const { command, env, cwd } = row;
    return [{ attempt: attempt.publicId, job: row.publicId, command, env, cwd }];
  });
}

export function findAttempts(tables: Tables, publicIds: string[]): FoundAttempt[] {
  const wanted = new Set(publicIds);
  return [...tables.attempts.values()].flatMap((attempt) => {
    const row = tables.jobs.get(attempt.jobId);
    if (row === undefined || !wanted.has(attempt.publicId)) return [];
    return {
      publicId: attempt.publicId,
      targetId: attempt.targetId,
      fence: attempt.fence,
      isEnded: attempt.endedAtMs !== null,
      job: row.publicId,
      jobState: row.state,
    };
  });
}

export function liveChecksum(tables: Tables) {
  let versions = 0;
  for (const { version } of tables.liveJobs) versions += version;
  return { jobs: tables.liveJobs.size, versions };
}

export function findJobs(tables: Tables, teamId: string, publicIds: string[]): JobRow[] {
  const wanted = new Set(publicIds);
  return [...tables.jobs.values()]
    .filter((row) => row.teamId === teamId && wanted.has(row.publicId))
    .map((row) => jobRow(tables, row));
}

export function findJobsBySubmitKey(tables: Tables, teamId: string, submitKeys: string[]) {
  const wanted = new Set(submitKeys);
  return [...tables.jobs.values()].flatMap((row) => {
    const { submitKey } = row;
    if (row.teamId !== teamId || submitKey === null || !wanted.has(submitKey)) return [];
    return { ...jobRow(tables, row), submitKey };
  });
}

function jobRow(tables: Tables, row: JobTableRow): JobRow {
  const attempt = row.attemptId === null ? undefined : tables.attempts.get(row.attemptId);
  return {
    id: row.id,
    publicId: row.publicId,
    version: row.version,
    name: row.name,
    state: row.state,
    command: row.command,
    env: row.env,
    cwd: row.cwd,
    gpus: row.gpus,
    gpuMemoryMib: row.gpuMemoryMib,
    gpuModel: row.gpuModel,
    timeoutMs: row.timeoutMs,
    graceMs: row.graceMs,
    retry: row.retry,
    retriesUsed: row.retriesUsed,
    wantedTarget: nameOf(tables, row.wantedTargetId),
    labels: row.labels,
    queue: tables.queues.get(row.queueId)?.name ?? "",
    priority: row.priority,
    userId: row.userId,
    userName: tables.users.get(row.userId) ?? "",
    targetPublicId: row.targetId === null ? null : (tables.targets.get(row.targetId)?.publicId ?? null),
    targetName: nameOf(tables, row.targetId),
    gpuUuids: row.gpuUuids,
    attempt: attempt?.publicId ?? null,
    attemptNumber: row.attemptNumber,
    exitCode: row.exitCode,
    signal: row.signal,
    message: row.message,
    isCancelRequested: row.cancelRequestedAtMs !== null,
    logBytes: row.logBytes,
    logGapAt: attempt?.logGapAt ?? null,
    logRemovedAtMs: null,
    createdAtMs: Math.round(row.createdAtMs),
    assignedAtMs: rounded(row.assignedAtMs),
    startedAtMs: rounded(row.startedAtMs),
    endedAtMs: rounded(row.endedAtMs),
    unreachableSinceMs: rounded(row.unreachableSinceMs),
  };
}

function nameOf(tables: Tables, targetId: number | null): string | null {
  return targetId === null ? null : (tables.targets.get(targetId)?.name ?? null);
}

function rounded(atMs: number | null): number | null {
  return atMs === null ? null : Math.round(atMs);
}
