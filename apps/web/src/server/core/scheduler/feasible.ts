/** Where a job may run: what could ever take it, and what takes it now. */
import { type Band, type Board, type GpuSlot, isHigher, isSenior } from "./board.ts";
import type { Policy, QueuedJob, QueueSelector, Shape } from "./snapshot.ts";

/** What one target says to a shape. `slots` are the GPUs to take, when it fits. */
export type Fit = { board: Board; slots: GpuSlot[]; leftover: number; touchesKept: boolean };

export function matchesTarget(board: Board, shape: Shape): boolean {
  if (shape.wanted !== null && shape.wanted.id !== board.target.id) return false;
  for (const key in shape.labels) if (board.target.labels[key] !== shape.labels[key]) return false;
  return true;
}

/** Whether a queue's jobs may run there, whatever they ask for. */
export function isSelected({ target }: Pick<Board, "target">, { labels, targets }: QueueSelector): boolean {
  if (targets.length > 0 && !targets.some(({ id }) => id === target.id)) return false;
  for (const key in labels) if (target.labels[key] !== labels[key]) return false;
  return true;
}

/** What a queue and its job want of a target, both. */
export function mayTake(board: Board, { shape }: QueuedJob, selector: QueueSelector): boolean {
  return isSelected(board, selector) && matchesTarget(board, shape);
}

/** Whether the device, empty, satisfies the shape. Blocked, missing and MIG parent devices never do. */
export function qualifies(slot: GpuSlot, shape: Shape): boolean {
  const { view } = slot;
  if (!view.schedulable || view.blocked || view.missing) return false;
  if (shape.gpuModel !== null && !slot.modelLower.includes(shape.gpuModel)) return false;
  return shape.gpuMemoryMib === null || (view.memoryTotalMib ?? 0) >= shape.gpuMemoryMib;
}

/** Whether leases leave room; says nothing of foreign processes, stale samples and reservations. */
export function isFreeOfLeases(slot: GpuSlot, shape: Shape): boolean {
  if (slot.heldWhole) return false;
  if (shape.gpuMemoryMib === null) return slot.holds.length === 0;
  return slot.heldMib + shape.gpuMemoryMib <= (slot.view.memoryTotalMib ?? 0);
}

export function isFreeOfForeign(slot: GpuSlot, shape: Shape, policy: Policy): boolean {
  if (shape.gpuMemoryMib === null) return slot.foreignMib <= policy.foreignMibMax;
  return slot.heldMib + slot.foreignMib + shape.gpuMemoryMib <= (slot.view.memoryTotalMib ?? 0);
}

/**
 * Whether the job may have a GPU that others claim: when its own claim is older, when its band is higher, or when it is
 * surely gone before they start.
 */
function mayUse(slot: GpuSlot, { job, band, nowMs }: FitQuestion): boolean {
  if (slot.claims.length === 0) return true;
  const own = slot.claims.find((claim) => claim.job.id === job.id);
  const endMs = job.timeoutMs === null ? Number.POSITIVE_INFINITY : nowMs + job.timeoutMs + job.graceMs;
  return slot.claims.every(
    (claim) =>
      claim === own ||
      endMs <= claim.startMs ||
      isHigher(band, claim.band) ||
      (own !== undefined && isSenior(own, claim)),
  );
}

export type FitQuestion = { job: QueuedJob; band: Band; nowMs: number; policy: Policy };

/** Tries one usable, matching target. Prefers GPUs that nobody waits for, then the tightest fit, then the lowest index. */
export function fitOn(board: Board, question: FitQuestion): Fit | null {
  const { policy } = question;
  const { shape } = question.job;
  if (shape.gpus === 0) {
    const room = board.cpuJobsMax - board.cpuHolds.length;
    return room > 0 ? { board, slots: [], leftover: room, touchesKept: false } : null;
  }
  if (board.slots.length < shape.gpus) return null;
  const free: GpuSlot[] = [];
  for (const slot of board.slots) {
    if (!isFreeOfLeases(slot, shape) || slot.isStale || !qualifies(slot, shape)) continue;
    if (isFreeOfForeign(slot, shape, policy) && mayUse(slot, question)) free.push(slot);
  }
  if (free.length < shape.gpus) return null;
  // Slots are built in index order and the sort is stable, so equals stay in index order.
  const isKept = (slot: GpuSlot) => Number(slot.claims.some((claim) => claim.job.id !== question.job.id));
  if (shape.gpuMemoryMib !== null) free.sort((a, b) => isKept(a) - isKept(b) || roomMib(a) - roomMib(b));
  else if (free.some((slot) => isKept(slot) > 0)) free.sort((a, b) => isKept(a) - isKept(b));
  const slots = free.slice(0, shape.gpus);
  const leftover =
    shape.gpuMemoryMib === null
      ? free.length - shape.gpus
      : slots.reduce((sum, slot) => sum + roomMib(slot), 0);
  return { board, slots, leftover, touchesKept: slots.some((slot) => isKept(slot) > 0) };
}

function roomMib(slot: GpuSlot): number {
  return (slot.view.memoryTotalMib ?? 0) - slot.heldMib - slot.foreignMib;
}
