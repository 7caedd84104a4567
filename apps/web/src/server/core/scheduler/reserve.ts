/**
 * Reservations: the GPUs that a waiting job will get, kept from those behind it unless they are gone in time.
 *
 * Why nothing starves within a band. A claim lasts from plan to plan until its job starts, is restored before anyone is
 * placed, and gives way only to older claims on the same GPU, of which there are finitely many. While it stands, only jobs
 * that surely end in time enter its GPUs, so every holder of unknown end that leaves brings it nearer. It moves only to a
 * place with fewer holders of unknown end, or, when all ends are known, to one that is free earlier: both can happen only
 * so often.
 */
import { type Board, type Claim, type GpuSlot, type Hold, isSenior } from "./board.ts";
import { isFreeOfForeign, isFreeOfLeases, mayTake, qualifies } from "./feasible.ts";
import type { Policy, QueuedJob, QueueSelector, Reservation } from "./snapshot.ts";

type Wait = { slot: GpuSlot; isUnknown: boolean; freeAtMs: number };
type Candidate = { board: Board; waits: Wait[]; unknown: number; freeAtMs: number };

export type ReserveContext = {
  boards: readonly Board[];
  nowMs: number;
  policy: Policy;
  selectorOf(job: QueuedJob): QueueSelector;
};

/** Who waits, and what an earlier plan kept for it. */
export type Waiter = { claim: Claim; before: Reservation | null };

/** Keeps again what an earlier plan kept. @returns whether that is still possible. */
export function restore(waiter: Waiter, context: ReserveContext): boolean {
  const kept = keptCandidate(waiter, context);
  if (kept) keep(kept, waiter.claim, context);
  return kept !== null;
}

/** Keeps GPUs for a job that does not fit now. @returns null when no target could give them to it by waiting. */
export function reserve(waiter: Waiter, context: ReserveContext): Reservation | null {
  const { claim } = waiter;
  release(claim.job, context);
  const kept = keptCandidate(waiter, context);
  const best = bestCandidate(claim, context);
  const chosen = kept && best && !isWorthMoving(kept, best) ? kept : (best ?? kept);
  return chosen && keep(chosen, claim, context);
}

/** Gives back what is kept for a job: it was placed, or it takes something better. */
export function release(job: QueuedJob, { boards }: ReserveContext): void {
  for (const board of boards) {
    for (const slot of board.slots) {
      const at = slot.claims.findIndex((claim) => claim.job.id === job.id);
      if (at !== -1) slot.claims.splice(at, 1);
    }
  }
}

function keep(chosen: Candidate, claim: Claim, { nowMs }: ReserveContext): Reservation {
  claim.startMs = Math.max(nowMs, ...chosen.waits.map((wait) => wait.freeAtMs));
  for (const { slot } of chosen.waits) slot.claims.push(claim);
  const gpuIds = chosen.waits.map(({ slot }) => slot.view.id);
  return { job: claim.job.id, order: claim.order, targetId: chosen.board.target.id, gpuIds };
}

function isWorthMoving(kept: Candidate, best: Candidate): boolean {
  if (best.unknown !== kept.unknown) return best.unknown < kept.unknown;
  return best.unknown === 0 && best.freeAtMs < kept.freeAtMs;
}

/** The previous reservation as it stands now; null when it can no longer be kept. */
function keptCandidate({ claim, before }: Waiter, context: ReserveContext): Candidate | null {
  if (!before) return null;
  const { shape } = claim.job;
  const board = context.boards.find(({ target }) => target.id === before.targetId);
  if (!board?.isUsable || !mayTake(board, claim.job, context.selectorOf(claim.job))) return null;
  const slots = board.slots.filter((slot) => before.gpuIds.includes(slot.view.id));
  const waits = waitsOn(slots, claim, context);
  return waits.length === shape.gpus ? summed(board, waits) : null;
}

function bestCandidate(claim: Claim, context: ReserveContext): Candidate | null {
  let best: Candidate | null = null;
  for (const board of context.boards) {
    const candidate = candidateOn(board, claim, context);
    if (!candidate) continue;
    const isBetter =
      best === null ||
      candidate.unknown < best.unknown ||
      (candidate.unknown === best.unknown && candidate.freeAtMs < best.freeAtMs);
    if (isBetter) best = candidate;
  }
  return best;
}

function candidateOn(board: Board, claim: Claim, context: ReserveContext): Candidate | null {
  const { shape } = claim.job;
  if (!board.isUsable || board.slots.length < shape.gpus) return null;
  if (!mayTake(board, claim.job, context.selectorOf(claim.job))) return null;
  const waits = waitsOn(board.slots, claim, context);
  if (waits.length < shape.gpus) return null;
  waits.sort((a, b) => Number(a.isUnknown) - Number(b.isUnknown) || a.freeAtMs - b.freeAtMs);
  return summed(board, waits.slice(0, shape.gpus));
}

function waitsOn(slots: readonly GpuSlot[], claim: Claim, context: ReserveContext): Wait[] {
  const waits: Wait[] = [];
  for (const slot of slots) {
    if (!qualifies(slot, claim.job.shape)) continue;
    const wait = waitForHolders(slot, claim, context);
    if (!wait) continue;
    for (const other of slot.claims) if (isSenior(other, claim)) waitForClaim(wait, other, context);
    waits.push(wait);
  }
  return waits;
}

/** Until enough of the holders are gone, the soonest to end first. Null when it is not holders that are in the way. */
function waitForHolders(slot: GpuSlot, { job: { shape } }: Claim, context: ReserveContext): Wait | null {
  const wait: Wait = { slot, isUnknown: false, freeAtMs: context.nowMs };
  if (isFreeOfLeases(slot, shape)) {
    // Foreign processes and old samples end at no time that we know.
    return slot.isStale || !isFreeOfForeign(slot, shape, context.policy) ? null : wait;
  }
  let heldMib = slot.heldMib;
  for (const hold of slot.holds.toSorted(bySoonestEnd)) {
    const needMib = shape.gpuMemoryMib;
    if (needMib !== null && !slot.heldWhole && heldMib + needMib <= (slot.view.memoryTotalMib ?? 0)) break;
    heldMib -= hold.memoryMib ?? 0;
    wait.isUnknown ||= hold.endMs === null;
    wait.freeAtMs = Math.max(wait.freeAtMs, hold.endMs ?? guessEndMs(hold, context));
  }
  return wait;
}

/** An older claim on the same GPU is served first: its whole run comes before. */
function waitForClaim(wait: Wait, other: Claim, { policy }: ReserveContext): void {
  const { timeoutMs, graceMs } = other.job;
  wait.isUnknown ||= timeoutMs === null;
  wait.freeAtMs =
    Math.max(wait.freeAtMs, other.startMs) +
    (timeoutMs === null ? policy.unknownEndMsMin : timeoutMs + graceMs);
}

function bySoonestEnd(a: Hold, b: Hold): number {
  const [endA, endB] = [a.endMs ?? Number.POSITIVE_INFINITY, b.endMs ?? Number.POSITIVE_INFINITY];
  if (endA !== endB) return endA - endB;
  return a.sinceMs - b.sinceMs || (a.job < b.job ? -1 : 1);
}

function guessEndMs(hold: Hold, { nowMs, policy }: ReserveContext): number {
  return nowMs + Math.max(policy.unknownEndMsMin, nowMs - hold.sinceMs);
}

function summed(board: Board, waits: Wait[]): Candidate {
  const known = waits.filter((wait) => !wait.isUnknown).map((wait) => wait.freeAtMs);
  return { board, waits, unknown: waits.length - known.length, freeAtMs: Math.max(0, ...known) };
}
