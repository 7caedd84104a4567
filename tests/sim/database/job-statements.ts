/** What the statements on jobs, attempts and leases change: each as its namesake in apps/web/src/server/db/queries does. */
import type { EndedAttempt } from "../../../apps/web/src/server/db/queries/end-attempts.ts";
import type { Estranging } from "../../../apps/web/src/server/db/queries/estrange-attempts.ts";
import type { InsertedJob, NewJob, NewPlace } from "../../../apps/web/src/server/db/queries/insert-jobs.ts";
import type { JobMove } from "../../../apps/web/src/server/db/queries/move-jobs.ts";
import type { JobPlacement, PlacedJob } from "../../../apps/web/src/server/db/queries/place-jobs.ts";
import type { ChangedJob, StartedAttempt } from "../../../apps/web/src/server/db/queries/record-started.ts";
import type { JobRequeue } from "../../../apps/web/src/server/db/queries/requeue-jobs.ts";
import type { TakenUp } from "../../../apps/web/src/server/db/queries/take-up-attempts.ts";
import {
  type AttemptTableRow,
  ConstraintError,
  type EventRow,
  isActiveRow,
  type JobTableRow,
  type LeaseRow,
  settleJob,
  type Tables,
} from "./tables.ts";

export function insertJobs(tables: Tables, jobs: NewJob[], nowMs: number): InsertedJob[] {
  const { sequences } = tables;
  const keys = new Set<string>();
  for (const { submitKey, teamId } of tables.jobs.values())
    if (submitKey !== null) keys.add(`${teamId} ${submitKey}`);
  const attemptIds = jobs.map(({ place }) => (place === null ? null : sequences.attempt++));
  const rows: { given: NewJob; row: JobTableRow }[] = [];
  for (const [position, given] of jobs.entries()) {
    const id = sequences.job++;
    const key = given.submitKey === null ? null : `${given.teamId} ${given.submitKey}`;
    if (key !== null && keys.has(key)) continue;
    if (key !== null) keys.add(key);
    const { place, userName: _userName, againOf: _againOf, ...same } = given;
    const attemptId = attemptIds[position] ?? null;
    rows.push({
      given,
      row: {
        ...same,
        id,
        state: attemptId === null ? "queued" : "assigned",
        version: 1,
        retriesUsed: 0,
        cancelRequestedAtMs: null,
        cancelGraceMs: null,
        attemptId,
        attemptNumber: attemptId === null ? 0 : 1,
        targetId: place?.targetId ?? null,
        gpuUuids: place?.gpus.map(({ uuid }) => uuid) ?? [],
        exitCode: null,
        signal: null,
        message: null,
        logBytes: 0,
        createdAtMs: nowMs,
        assignedAtMs: attemptId === null ? null : nowMs,
        startedAtMs: null,
        endedAtMs: null,
        unreachableSinceMs: null,
      },
    });
  }
  const leases = rows.flatMap(({ given, row }) => leasesOf(given.place, row.attemptId));
  checkLeases(tables, leases);
  for (const { given, row } of rows) {
    tables.jobs.set(row.id, row);
    settleJob(tables, row);
    event(tables, row, {
      atMs: nowMs,
      type: "submitted",
      state: "queued",
      actor: given.userName,
      attemptId: null,
      message: given.againOf === null ? "" : `again, as ${given.againOf} was`,
    });
    if (given.place === null || row.attemptId === null) continue;
    addAttempt(tables, { row, place: given.place, nowMs });
    event(tables, row, {
      atMs: nowMs,
      type: "place",
      state: "assigned",
      actor: "scheduler",
      message: `on ${given.place.targetName}`,
    });
  }
  tables.leases.push(...leases);
  return rows.map(({ row }) => {
    const { publicId, id, attemptId } = row;
    return { publicId, id, attemptId, commandKey: commandKeyOf(row) };
  });
}

export function placeJobs(tables: Tables, placements: JobPlacement[], nowMs: number): PlacedJob[] {
  const asked = new Map<number, number>();
  for (const { gpus } of placements)
    for (const { gpuId, memoryMib } of gpus) asked.set(gpuId, (asked.get(gpuId) ?? 0) + (memoryMib ?? 0));
  const placed: { row: JobTableRow; place: JobPlacement; attemptId: number }[] = [];
  for (const place of placements) {
    const row = tables.jobs.get(place.jobId);
    if (row?.state !== "queued" || isRefused(tables, place, asked)) continue;
    const attemptId = tables.sequences.attempt++;
    if (row.version === place.version) placed.push({ row, place, attemptId });
  }
  const leases = placed.flatMap(({ place, attemptId }) => leasesOf(place, attemptId));
  checkLeases(tables, leases);
  tables.leases.push(...leases);
  return placed.map(({ row, place, attemptId }) => {
    Object.assign(row, {
      state: "assigned",
      version: row.version + 1,
      attemptId,
      attemptNumber: row.attemptNumber + 1,
      targetId: place.targetId,
      assignedAtMs: nowMs,
      startedAtMs: null,
      endedAtMs: null,
      exitCode: null,
      signal: null,
      message: null,
      logBytes: 0,
      gpuUuids: place.gpus.map(({ uuid }) => uuid),
    } satisfies Partial<JobTableRow>);
    addAttempt(tables, { row, place, nowMs });
    event(tables, row, { atMs: nowMs, type: "place", actor: "scheduler", message: `on ${place.targetName}` });
    const { command, env, cwd } = row;
    return {
      publicId: row.publicId,
      version: row.version,
      attempt: place.attempt,
      attemptId,
      fence: row.attemptNumber,
      command,
      env,
      cwd,
    };
  });
}

export function recordStarted(tables: Tables, started: StartedAttempt[]): ChangedJob[] {
  return started.flatMap(({ attemptId, pid, startedAtMs, targetName }) => {
    const row = [...tables.liveJobs].find((one) => one.attemptId === attemptId);
    if (row === undefined || !awaitsStart(row)) return [];
    row.state = "running";
    row.version += 1;
    row.startedAtMs ??= startedAtMs;
    row.unreachableSinceMs = null;
    const attempt = tables.attempts.get(attemptId);
    if (attempt?.endedAtMs === null) {
      attempt.pid = pid;
      attempt.startedAtMs ??= startedAtMs;
    }
    event(tables, row, { atMs: startedAtMs, type: "start", actor: targetName, message: `pid ${pid}` });
    return [{ publicId: row.publicId, version: row.version }];
  });
}

export function endAttempts(tables: Tables, ended: EndedAttempt[]): ChangedJob[] {
  const changed: ChangedJob[] = [];
  const over = new Set<number>();
  const notes: { row: JobTableRow; attempt: AttemptTableRow; end: EndedAttempt }[] = [];
  // A statement sees its jobs as they were before it.
  const states = new Map([...tables.liveJobs].map((row) => [row.id, row.state]));
  for (const end of ended) {
    const attempt = tables.attempts.get(end.attemptId);
    if (attempt === undefined || attempt.endedAtMs !== null) continue;
    over.add(attempt.id);
    attempt.endedAtMs = end.endedAtMs;
    attempt.endReason = end.endReason;
    attempt.exitCode = end.exitCode;
    attempt.signal = end.signal;
    attempt.message = end.message;
    attempt.logBytes = end.logBytes ?? attempt.logBytes;
    attempt.startedAtMs ??= end.startedAtMs;
    attempt.pid ??= end.pid;
    if (end.isClosed) {
      attempt.closedAtMs = end.endedAtMs;
      tables.openAttempts.delete(attempt);
    }
    const row = tables.jobs.get(attempt.jobId);
    if (row !== undefined && end.note !== null) notes.push({ row, attempt, end });
    if (row === undefined || row.attemptId !== attempt.id || !isActiveRow(row)) continue;
    const isQueued = end.state === "queued";
    row.state = end.state;
    row.version += 1;
    row.exitCode = end.exitCode;
    row.signal = end.signal;
    row.message = end.message;
    row.logBytes = end.logBytes ?? row.logBytes;
    row.startedAtMs = isQueued ? null : (row.startedAtMs ?? end.startedAtMs);
    row.endedAtMs = isQueued ? null : end.endedAtMs;
    row.unreachableSinceMs = null;
    if (isQueued) {
      row.targetId = null;
      row.gpuUuids = [];
    }
    settleJob(tables, row);
    if (end.pid !== null && end.startedAtMs !== null) {
      event(tables, row, {
        atMs: end.startedAtMs,
        type: "start",
        state: "running",
        actor: end.actor,
        message: `pid ${end.pid}`,
      });
    }
    event(tables, row, {
      atMs: end.endedAtMs,
      type: end.event,
      actor: end.actor,
      message: end.message ?? "",
    });
    changed.push({ publicId: row.publicId, version: row.version });
  }
  for (const { row, attempt, end } of notes) {
    const { atMs, text } = end.note ?? { atMs: 0, text: "" };
    event(tables, row, {
      atMs,
      type: "noted",
      actor: end.actor,
      message: text,
      attemptId: attempt.id,
      state: states.get(row.id) ?? row.state,
    });
  }
  tables.leases = tables.leases.filter(({ attemptId }) => !over.has(attemptId));
  return changed;
}

export function moveJobs(tables: Tables, moves: JobMove[], nowMs: number): ChangedJob[] {
  return moves.flatMap(({ jobId, version, state, event: type, actor, message }) => {
    const row = tables.jobs.get(jobId);
    if (row === undefined || row.version !== version || !isActiveRow(row)) return [];
    row.state = state;
    row.version += 1;
    row.unreachableSinceMs = state === "unreachable" ? nowMs : null;
    settleJob(tables, row);
    if (type !== null) event(tables, row, { atMs: nowMs, type, actor, message });
    return [{ publicId: row.publicId, version: row.version }];
  });
}

export function requeueJobs(tables: Tables, requeues: JobRequeue[], nowMs: number): ChangedJob[] {
  return requeues.flatMap(({ jobId, version, attemptId, actor, message, isByRule }) => {
    const row = tables.jobs.get(jobId);
    if (row?.state !== "unreachable" || row.version !== version || row.attemptId !== attemptId) return [];
    if (row.cancelRequestedAtMs !== null) return [];
    Object.assign(row, {
      state: "queued",
      version: row.version + 1,
      attemptId: null,
      targetId: null,
      gpuUuids: [],
      startedAtMs: null,
      unreachableSinceMs: null,
      logBytes: 0,
      retriesUsed: row.retriesUsed + (isByRule ? 1 : 0),
    } satisfies Partial<JobTableRow>);
    settleJob(tables, row);
    event(tables, row, { atMs: nowMs, type: "requeue", actor, message, attemptId });
    return [{ publicId: row.publicId, version: row.version }];
  });
}

export function estrangeAttempts(
  tables: Tables,
  { attemptIds, actor, message, nowMs }: Estranging,
): ChangedJob[] {
  return [...new Set(attemptIds)].flatMap((id) => {
    const attempt = tables.attempts.get(id);
    if (attempt === undefined || attempt.startedAtMs !== null || attempt.endedAtMs !== null) return [];
    attempt.estrangedAtMs = nowMs;
    const row = tables.jobs.get(attempt.jobId);
    if (row === undefined || row.attemptId !== id || !isActiveRow(row)) return [];
    row.state = "unreachable";
    row.version += 1;
    row.unreachableSinceMs ??= nowMs;
    event(tables, row, { atMs: nowMs, type: "silence", actor, message });
    return [{ publicId: row.publicId, version: row.version }];
  });
}

export function takeUpAttempts(tables: Tables, taken: TakenUp[], nowMs: number): ChangedJob[] {
  return taken.flatMap(({ jobId, version, attemptId, gpuUuids, actor, message }) => {
    const row = tables.jobs.get(jobId);
    const attempt = tables.attempts.get(attemptId);
    if (row?.state !== "queued" || row.version !== version || attempt?.jobId !== jobId) return [];
    if (attempt.fence !== row.attemptNumber || attempt.endedAtMs !== null) return [];
    Object.assign(row, {
      state: "running",
      version: row.version + 1,
      attemptId,
      targetId: attempt.targetId,
      gpuUuids,
      assignedAtMs: attempt.createdAtMs,
      startedAtMs: attempt.startedAtMs,
    } satisfies Partial<JobTableRow>);
    settleJob(tables, row);
    event(tables, row, { atMs: nowMs, type: "return", actor, message });
    return [{ publicId: row.publicId, version: row.version }];
  });
}

export function cancelJobs(
  tables: Tables,
  jobIds: number[],
  { actor, graceMs, nowMs }: { actor: string; graceMs: number | null; nowMs: number },
) {
  return [...new Set(jobIds)].flatMap((id) => {
    const row = tables.jobs.get(id);
    if (row === undefined || !tables.liveJobs.has(row)) return [];
    const isQueued = row.state === "queued";
    row.version += 1;
    row.cancelRequestedAtMs ??= nowMs;
    row.cancelGraceMs = graceMs ?? row.cancelGraceMs ?? row.graceMs;
    if (isQueued) {
      row.state = "cancelled";
      row.endedAtMs = nowMs;
      row.message = `cancelled by ${actor}`;
    }
    settleJob(tables, row);
    event(tables, row, {
      atMs: nowMs,
      type: isQueued ? "cancel" : "noted",
      actor,
      message: isQueued ? "" : "asked to end",
    });
    return [{ publicId: row.publicId, state: row.state, version: row.version }];
  });
}

export function closeAttempts(tables: Tables, attemptIds: number[], nowMs: number): void {
  for (const id of attemptIds) {
    const attempt = tables.attempts.get(id);
    if (attempt === undefined || attempt.endedAtMs === null || attempt.closedAtMs !== null) continue;
    attempt.closedAtMs = nowMs;
    tables.openAttempts.delete(attempt);
  }
}

type LogGap = { attempt: string; fence: number; offset: number; message: string };

export function recordLogGaps(
  tables: Tables,
  gaps: LogGap[],
  { targetId, actor, nowMs }: { targetId: number; actor: string; nowMs: number },
) {
  return gaps.flatMap(({ attempt: id, fence, offset, message }) => {
    const attempt = [...tables.attempts.values()].find(({ publicId }) => publicId === id);
    const row = attempt && tables.jobs.get(attempt.jobId);
    if (attempt === undefined || row === undefined || attempt.logGapAt !== null) return [];
    if (attempt.fence !== fence || attempt.targetId !== targetId) return [];
    attempt.logGapAt = offset;
    event(tables, row, { atMs: nowMs, type: "noted", actor, message, attemptId: attempt.id });
    return [{ attempt: id, job: row.publicId, offset }];
  });
}

/** Any does that is the same for the same command. */
export const commandKeyOf = ({ command }: JobTableRow): string => JSON.stringify(command);

function awaitsStart({ state, startedAtMs }: JobTableRow): boolean {
  return state === "running" ? startedAtMs === null : state !== "queued";
}

function isRefused(tables: Tables, { gpus }: JobPlacement, asked: Map<number, number>): boolean {
  return gpus.some(({ gpuId, memoryMib }) => {
    const gpu = tables.gpus.get(gpuId);
    const taken = tables.leases.filter((lease) => lease.gpuId === gpuId);
    if (gpu === undefined || taken.some((lease) => lease.memoryMib === null)) return gpu !== undefined;
    if (memoryMib === null) return taken.length > 0;
    const totalMib = gpu.facts.memoryTotalMib;
    const takenMib = taken.reduce((sum, lease) => sum + (lease.memoryMib ?? 0), 0);
    return totalMib !== null && takenMib + (asked.get(gpuId) ?? 0) > totalMib;
  });
}

function leasesOf(place: NewPlace | null, attemptId: number | null): LeaseRow[] {
  if (place === null || attemptId === null) return [];
  return place.gpus.map(({ gpuId, memoryMib }) => ({ gpuId, attemptId, memoryMib }));
}

/** The references, the index `gpu_lease_whole`, and the trigger `nexus_lease_fits`. */
function checkLeases(tables: Tables, leases: LeaseRow[]): void {
  const whole = new Set(
    tables.leases.filter(({ memoryMib }) => memoryMib === null).map(({ gpuId }) => gpuId),
  );
  for (const { gpuId, memoryMib } of leases) {
    if (!tables.gpus.has(gpuId)) throw new ConstraintError("23503", `there is no GPU ${gpuId}`);
    if (memoryMib !== null) continue;
    if (whole.has(gpuId)) throw new ConstraintError("23505", `GPU ${gpuId} is leased whole`);
    whole.add(gpuId);
  }
  for (const gpuId of new Set(leases.map((lease) => lease.gpuId))) {
    const all = [...tables.leases, ...leases].filter((lease) => lease.gpuId === gpuId);
    const totalMib = tables.gpus.get(gpuId)?.facts.memoryTotalMib ?? null;
    const sumMib = all.reduce((sum, { memoryMib }) => sum + (memoryMib ?? 0), 0);
    const isShared = all.length > 1 && whole.has(gpuId);
    if (isShared || (totalMib !== null && sumMib > totalMib))
      throw new ConstraintError("23P01", `GPU ${gpuId} has no room for these leases`);
  }
}

function addAttempt(
  tables: Tables,
  { row, place, nowMs }: { row: JobTableRow; place: NewPlace; nowMs: number },
): void {
  const attempt = {
    id: row.attemptId ?? 0,
    publicId: place.attempt,
    jobId: row.id,
    fence: row.attemptNumber,
    targetId: place.targetId,
    pid: null,
    createdAtMs: nowMs,
    startedAtMs: null,
    endedAtMs: null,
    endReason: null,
    exitCode: null,
    signal: null,
    message: null,
    logBytes: null,
    closedAtMs: null,
    estrangedAtMs: null,
    logGapAt: null,
  };
  tables.attempts.set(attempt.id, attempt);
  tables.openAttempts.add(attempt);
}

type NewEvent = Pick<EventRow, "atMs" | "type" | "actor"> & Partial<EventRow>;

function event(tables: Tables, row: JobTableRow, given: NewEvent): void {
  tables.events.push({ jobId: row.id, state: row.state, attemptId: row.attemptId, message: "", ...given });
}
