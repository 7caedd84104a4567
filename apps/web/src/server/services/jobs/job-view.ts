import type { Job, LogTrouble } from "@nexus/shared/api/schemas";
import { roleAllows } from "@nexus/shared/roles";
import type { NewJob } from "../../db/queries/insert-jobs.ts";
import type { JobRow } from "../../db/queries/job-row.ts";
import { logTroublesOf } from "../logs/log-troubles.ts";
import type { Principal } from "../ports.ts";
import type { LiveJob } from "../scheduling/live-jobs.ts";
import type { World } from "../scheduling/world.ts";

/**
 * A job as the API shows it: the row, with what only memory knows laid over it (why it waits, whether its start left, how
 * far its log is). Values of the environment are for the submitter and for admins.
 */
export function jobView(row: JobRow, { principal, live, logBytes, logTrouble }: JobViewContext): Job {
  const hasStarted =
    row.state === "assigned" && live?.state === "starting" && live.attempt?.id === row.attempt;
  const {
    id: _rowId,
    version: _version,
    userId,
    userName,
    targetPublicId,
    targetName,
    isCancelRequested,
    retry,
    retriesUsed,
    logGapAt,
    logRemovedAtMs,
    ...same
  } = row;
  return {
    ...same,
    id: row.publicId,
    state: hasStarted ? "starting" : row.state,
    env: visibleEnv(row, principal),
    retry: retry && { ...retry, used: retriesUsed },
    user: { id: userId, name: userName },
    target: targetPublicId === null ? null : { id: targetPublicId, name: targetName ?? "" },
    attempt: row.attemptNumber === 0 ? null : row.attempt,
    reason: row.state === "queued" ? (live?.reason ?? { code: "new" }) : null,
    cancelRequested: isCancelRequested,
    logBytes: Math.max(logBytes ?? 0, row.logBytes),
    logTroubles: logTroublesOf({
      live,
      logGapAt,
      logRemovedAtMs,
      target: targetName ?? "its node",
      trouble: logTrouble,
    }),
  };
}

export type JobViewContext = {
  principal: Principal;
  live: LiveJob | undefined;
  logBytes: number | null;
  logTrouble: LogTrouble | null;
};

/** The view of a job that was just submitted, without reading it back. */
export function newJobView(
  given: NewJob,
  job: LiveJob,
  { world, queue }: { world: World; queue: string },
): Job {
  const { name, command, env, cwd, gpus, gpuMemoryMib, gpuModel, timeoutMs, graceMs, labels, priority } =
    given;
  const target = job.attempt ? world.fleet.get(job.attempt.targetId) : undefined;
  return {
    id: job.id,
    state: job.state,
    ...{ name, command, env, cwd, gpus, gpuMemoryMib, gpuModel, timeoutMs, graceMs, labels, queue, priority },
    retry: given.retry && { ...given.retry, used: 0 },
    wantedTarget: job.shape.wanted?.name ?? null,
    user: { id: job.userId, name: job.userName },
    target: target ? { id: target.row.publicId, name: target.row.name } : null,
    gpuUuids: job.attempt?.gpus.map((gpu) => gpu.uuid) ?? [],
    attempt: job.attempt?.id ?? null,
    attemptNumber: job.attempt?.fence ?? 0,
    reason: job.state === "queued" ? job.reason : null,
    exitCode: null,
    signal: null,
    message: null,
    cancelRequested: false,
    logBytes: 0,
    logTroubles: [],
    createdAtMs: job.createdAtMs,
    assignedAtMs: job.attempt?.assignedAtMs ?? null,
    startedAtMs: null,
    endedAtMs: null,
    unreachableSinceMs: null,
  };
}

function visibleEnv(row: JobRow, principal: Principal): Record<string, string> {
  if (row.userId === principal.userId || roleAllows(principal.role, "admin")) return row.env;
  return Object.fromEntries(Object.keys(row.env).map((name) => [name, ""]));
}
