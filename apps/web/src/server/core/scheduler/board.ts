/**
 * The planner's scratch: who holds what on each target while one plan is made. Built from a snapshot, filled by the
 * placements of the same plan, thrown away after. Capacity only shrinks during a plan, so what did not fit once need not
 * be tried again.
 */
import { assert } from "@nexus/shared/assert";
import { remainingMs } from "./remaining-time.ts";
import {
  type ActiveJob,
  cpuJobsMax,
  type GpuView,
  isHeld,
  type Placement,
  type Policy,
  type QueuedJob,
  type TargetView,
  type TeamSnapshot,
} from "./snapshot.ts";

/** Jobs of one band differ only in whose they are and in age. */
export type Band = { queuePriority: number; priority: number };

/** A waiting job's hold on GPUs that it will get. */
export type Claim = {
  job: QueuedJob;
  band: Band;
  /** Grows with every claim of the team; of the same band the older one goes first. */
  order: number;
  /** When the job is expected to start. */
  startMs: number;
};

export type Hold = {
  job: string;
  userId: string;
  userName: string;
  /** What it counts for: the memory it named, or what it really uses when that is more. Null is the whole device. */
  memoryMib: number | null;
  /** When it ends at the latest; null when nobody knows. */
  endMs: number | null;
  /** When it ends if it is like others of its kind; null when nobody knows. Nothing is decided by it. */
  likelyEndMs: number | null;
  sinceMs: number;
};

export type GpuSlot = {
  view: GpuView;
  modelLower: string;
  holds: Hold[];
  /** Memory of `holds`, and whether one of them has it whole. */
  heldMib: number;
  heldWhole: boolean;
  foreignMib: number;
  foreignUsers: readonly string[];
  isStale: boolean;
  /** Whom it is kept for, in no order. */
  claims: Claim[];
};

export type Board = {
  target: TargetView;
  isUsable: boolean;
  slots: GpuSlot[];
  cpuHolds: Hold[];
  cpuJobsMax: number;
};

export function buildBoards(team: TeamSnapshot, nowMs: number, policy: Policy): Board[] {
  const boards = new Map<number, Board>();
  const slotsById = new Map<number, GpuSlot>();
  for (const target of team.targets.toSorted((a, b) => a.id - b.id)) {
    const slots = target.gpus
      .toSorted((a, b) => a.index - b.index || a.id - b.id)
      .map((view) => slotOf(view));
    for (const slot of slots) slotsById.set(slot.view.id, slot);
    boards.set(target.id, {
      target,
      isUsable: target.connected && !target.cordoned && !isHeld(target, nowMs),
      slots,
      cpuHolds: [],
      cpuJobsMax: cpuJobsMax(target, policy),
    });
  }
  const leased = new Map<GpuSlot, Set<string>>();
  for (const job of [...team.active, ...team.givenUp].sort((a, b) => (a.id < b.id ? -1 : 1))) {
    const hold = holdOf(job, nowMs);
    if (job.gpus.length === 0) boards.get(job.targetId)?.cpuHolds.push(hold);
    for (const lease of job.gpus) {
      const slot = slotsById.get(lease.gpuId);
      if (!slot) continue;
      leased.set(slot, (leased.get(slot) ?? new Set()).add(job.attempt));
      const usedMib = slot.view.use?.attemptMib.get(job.attempt) ?? 0;
      addHold(slot, {
        ...hold,
        memoryMib: lease.memoryMib === null ? null : Math.max(lease.memoryMib, usedMib),
      });
    }
  }
  for (const slot of slotsById.values()) addStrays(slot, leased.get(slot));
  return [...boards.values()];

  function slotOf(view: GpuView): GpuSlot {
    const isFresh = view.use !== null && nowMs - view.use.sampledAtMs <= policy.sampleAgeMsMax;
    return {
      view,
      modelLower: view.name.toLowerCase(),
      holds: [],
      heldMib: 0,
      heldWhole: false,
      foreignMib: isFresh && view.use ? view.use.foreignMib : 0,
      foreignUsers: view.use?.foreignUsers ?? [],
      isStale: !isFresh && !view.simulated,
      claims: [],
    };
  }
}

/** As if it had a whole device; who holds a share says so. */
export function holdOf(job: ActiveJob, nowMs: number): Hold {
  const { id, userId, userName, sinceMs } = job;
  const [endMs, likelyEndMs] = [endOf(job, nowMs), likelyEndOf(job, nowMs)];
  return { job: id, userId, userName, memoryMib: null, endMs, likelyEndMs, sinceMs };
}

/** What a job that is placed now will hold of each of its GPUs. */
export function placedHold(job: QueuedJob, nowMs: number): Hold {
  return {
    job: job.id,
    userId: job.userId,
    userName: job.userName,
    memoryMib: job.shape.gpuMemoryMib,
    endMs: job.timeoutMs === null ? null : nowMs + job.timeoutMs + job.graceMs,
    likelyEndMs: null,
    sinceMs: nowMs,
  };
}

export function isHigher(a: Band, b: Band): boolean {
  return (
    a.queuePriority > b.queuePriority || (a.queuePriority === b.queuePriority && a.priority > b.priority)
  );
}

export function isSenior(a: Claim, b: Claim): boolean {
  return isHigher(a.band, b.band) || (!isHigher(b.band, a.band) && a.order < b.order);
}

export function byAge(a: QueuedJob, b: QueuedJob): number {
  return a.createdAtMs - b.createdAtMs || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);
}

function addHold(slot: GpuSlot, hold: Hold): void {
  slot.holds.push(hold);
  if (hold.memoryMib === null) slot.heldWhole = true;
  else slot.heldMib += hold.memoryMib;
}

/**
 * What survived the end of its attempt, belongs to an attempt that this control plane does not know, or uses a GPU that it was
 * not given, is as much in the way as any other process.
 */
function addStrays(slot: GpuSlot, leased: ReadonlySet<string> | undefined): void {
  const { use, freedAtMs } = slot.view;
  if (slot.isStale || !use || use.sampledAtMs < freedAtMs) return;
  for (const [attempt, memoryMib] of use.attemptMib) {
    if (leased?.has(attempt)) continue;
    slot.foreignMib += memoryMib;
    slot.foreignUsers = [...slot.foreignUsers, `what is left of ${attempt}`];
  }
}

/** Writes a placement down, so that the rest of the plan sees it. */
export function occupy(fit: { board: Board; slots: GpuSlot[] }, job: QueuedJob, nowMs: number): Placement {
  const { board, slots } = fit;
  const hold = placedHold(job, nowMs);
  assert(slots.length === job.shape.gpus, "a placement has as many GPUs as the job needs");
  if (slots.length === 0) board.cpuHolds.push({ ...hold, memoryMib: null });
  for (const slot of slots) addHold(slot, hold);
  return {
    job: job.id,
    targetId: board.target.id,
    gpus: slots.map((slot) => ({
      gpuId: slot.view.id,
      uuid: slot.view.uuid,
      memoryMib: job.shape.gpuMemoryMib,
    })),
  };
}

function likelyEndOf(job: ActiveJob, nowMs: number): number | null {
  const leftMs = job.reachable ? remainingMs(job.pastRunsMs, nowMs - job.sinceMs) : null;
  return leftMs === null ? null : nowMs + leftMs;
}

function endOf(job: ActiveJob, nowMs: number): number | null {
  if (job.timeoutMs === null || !job.reachable) return null;
  return Math.max(nowMs, job.sinceMs + job.timeoutMs + job.graceMs);
}
