/**
 * The scheduler's one decision: who starts where now, and why everyone else waits. Pure: equal snapshots give equal plans,
 * in whatever order their parts are listed.
 */
import type { QueueLimit, WaitingReason } from "@nexus/shared/scheduler/reason";
import { type Band, type Board, buildBoards, type Claim, isHigher, isSenior, occupy } from "./board.ts";
import { explain } from "./explain.ts";
import { type Fit, fitOn, mayTake, qualifies } from "./feasible.ts";
import { createQueueGate } from "./queue-gate.ts";
import { compareFits, createLine } from "./rank.ts";
import { release, reserve, restore, type Waiter } from "./reserve.ts";
import type {
  FleetSnapshot,
  Plan,
  Policy,
  QueuedJob,
  QueueSelector,
  QueueView,
  Reservation,
  TeamSnapshot,
} from "./snapshot.ts";

export function plan(snapshot: FleetSnapshot, nowMs: number, policy: Policy): Plan {
  const result: Plan = {
    placements: [],
    reasons: new Map(),
    line: [],
    reservations: new Map(),
    wakeAtMs: null,
  };
  for (const team of snapshot.teams.toSorted((a, b) => (a.teamId < b.teamId ? -1 : 1))) {
    result.reservations.set(team.teamId, planTeam(team, { nowMs, policy, result }));
  }
  return result;
}

const ANYWHERE: QueueSelector = { labels: {}, targets: [] };

/** What the jobs of one shape that may take the same targets have in common while a plan is made. */
type ShapeState = {
  boards: Board[];
  /** Whether one of them has what the shape asks for, in use or not. */
  canRun: boolean;
  /** A job with this timeout or a longer one finds no place; null while every job is worth a try. */
  refusedFromMs: number | null;
  waiting: QueuedJob[];
  /** The band of its reservation. One a shape is enough: the next job gets its own when the first one starts. */
  reservedIn: Band | null;
};

type TeamContext = { nowMs: number; policy: Policy; result: Plan };

function planTeam(team: TeamSnapshot, { nowMs, policy, result }: TeamContext): Reservation[] {
  if (team.queued.length === 0) return [];
  const boards = buildBoards(team, nowMs, policy);
  const queues = new Map(team.queues.map((queue) => [queue.id, queue]));
  const selectorOf = (job: QueuedJob) => queues.get(job.queueId)?.selector ?? ANYWHERE;
  const context = { boards, nowMs, policy, selectorOf };
  const gate = createQueueGate(team, nowMs);
  const shapes = new Map<string, ShapeState>();
  let nextOrder = 1 + Math.max(0, ...team.reservations.map((reservation) => reservation.order));
  const { kept: before, onlyLimited: limited } = restoreReservations();
  /** A limit kept somebody out for the sake of a claim. */
  let keptOut = false;
  const reservations: Reservation[] = [];
  let reservationsLeft = Math.max(0, policy.reservationsMax - before.size);
  const line = createLine(team, policy);
  const placedBefore = result.placements.length;

  for (let job = line.next(); job !== null; job = line.next()) {
    const held = heldBack(job);
    if (held) {
      result.line.push(job.id);
      result.reasons.set(job.id, held);
      if (held.code === "backoff") wakeAt(held.untilMs);
      if (held.code === "queue_limit") claimLimit(job, held);
      continue;
    }
    line.charge(job);
    const state = shapeState(job);
    const fit = findFit(job, state);
    if (fit) {
      if (before.has(job.id)) release(job, context);
      // It took or gave back GPUs that were kept: what that changes for jobs that this round passed, the next one sees.
      if (before.has(job.id) || fit.touchesKept) result.wakeAtMs = nowMs;
      result.placements.push(occupy(fit, job, nowMs));
      gate.take(job, fit.board.target.name);
      continue;
    }
    result.line.push(job.id);
    state.waiting.push(job);
    keepGpus(job, state);
  }

  // Placements change what claims wait for, and so who is gone in time.
  if (keptOut && result.placements.length > placedBefore) result.wakeAtMs = nowMs;
  for (const { hold } of result.line.length > 0 ? team.targets : []) {
    const untilMs = hold?.untilMs ?? null;
    if (untilMs !== null && untilMs > nowMs) wakeAt(untilMs);
  }
  for (const { waiting } of shapes.values()) {
    const [first] = waiting;
    if (!first) continue;
    const { id, shape } = first;
    const reason = explain({ id, shape, queue: queues.get(first.queueId) ?? null }, context);
    for (const job of waiting) result.reasons.set(job.id, reason);
  }
  return reservations;

  function wakeAt(atMs: number): void {
    result.wakeAtMs = Math.min(result.wakeAtMs ?? atMs, atMs);
  }

  function bandOf(job: QueuedJob): Band {
    return { queuePriority: queues.get(job.queueId)?.priority ?? 0, priority: job.priority };
  }

  function claimOf(job: QueuedJob, before: Reservation | null): Claim {
    const order = before?.order ?? nextOrder++;
    return { job, band: bandOf(job), order, startMs: nowMs };
  }

  /** What keeps a job out of this round whatever is free. Such a job pays nothing and keeps no GPU. */
  function heldBack(job: QueuedJob): WaitingReason | null {
    return outReason(job) ?? gate.refusal(job, bandOf(job));
  }

  function outReason(job: QueuedJob): WaitingReason | null {
    const queue = queues.get(job.queueId);
    if (queue?.paused) return { code: "queue_paused", queue: queue.name };
    return job.backoff && job.backoff.untilMs > nowMs ? { code: "backoff", ...job.backoff } : null;
  }

  function shapeState(job: QueuedJob): ShapeState {
    const { shape } = job;
    const queue = queues.get(job.queueId);
    const key = queue && !isAnywhere(queue) ? `${queue.id} ${shape.key}` : shape.key;
    let state = shapes.get(key);
    if (!state) {
      const matching = boards.filter((board) => board.isUsable && mayTake(board, job, selectorOf(job)));
      const canRun = matching.some(
        ({ slots }) => slots.filter((slot) => qualifies(slot, shape)).length >= shape.gpus,
      );
      state = { boards: matching, canRun, refusedFromMs: null, waiting: [], reservedIn: null };
      shapes.set(key, state);
    }
    return state;
  }

  /** Capacity only shrinks while a plan is made: what was refused is refused again, unless it is shorter. */
  function findFit(job: QueuedJob, state: ShapeState): Fit | null {
    const lengthMs = job.timeoutMs === null ? Number.POSITIVE_INFINITY : job.timeoutMs + job.graceMs;
    const isHopeless = state.refusedFromMs !== null && lengthMs >= state.refusedFromMs;
    if (isHopeless && !before.has(job.id)) return null;
    const question = { job, band: bandOf(job), nowMs, policy };
    let best: Fit | null = null;
    for (const board of state.boards) {
      const fit = fitOn(board, question);
      if (fit && (best === null || compareFits(fit, best, job.shape) < 0)) best = fit;
    }
    if (!best) state.refusedFromMs = Math.min(lengthMs, state.refusedFromMs ?? lengthMs);
    return best;
  }

  function keepGpus(job: QueuedJob, state: ShapeState): void {
    if (job.shape.gpus === 0) return;
    const mine = before.get(job.id) ?? limited.get(job.id) ?? null;
    const claim = claimOf(job, mine);
    const isOneMore = !before.has(job.id);
    const isEnough = reservationsLeft === 0 || (state.reservedIn && !isHigher(claim.band, state.reservedIn));
    const reservation = isOneMore && isEnough ? null : reserve({ claim, before: mine }, context);
    if (reservation) {
      if (isOneMore) reservationsLeft -= 1;
      gate.claim(claim, null);
      reservations.push(reservation);
      state.reservedIn = claim.band;
    } else if (limited.has(job.id)) {
      reservations.push(limitOnly(claim));
    } else if (before.has(job.id)) {
      // What it gives back of its queue's limits, those that this round passed may have.
      gate.unclaim(job);
      result.wakeAtMs = nowMs;
    }
  }

  /** A job that only its queue's limit of GPUs stops gets its turn before those that need less. */
  function claimLimit(job: QueuedJob, refusal: QueueLimit): void {
    const mine = limited.get(job.id);
    if (refusal.keptFor !== null) keptOut = true;
    if (mine) {
      reservations.push(mine);
      return;
    }
    const band = bandOf(job);
    const kept = before.get(job.id);
    if (kept) {
      // One of a higher band took what it needs.
      release(job, context);
      result.wakeAtMs = nowMs;
      if (canWaitFor(refusal)) reservations.push({ ...kept, targetId: null, gpuIds: [] });
      return;
    }
    if (limited.size >= policy.reservationsMax || !gate.needsClaim(job, band, refusal)) return;
    if (!shapeState(job).canRun) return;
    const claim = claimOf(job, null);
    gate.claim(claim, refusal);
    limited.set(job.id, limitOnly(claim));
    reservations.push(limitOnly(claim));
  }

  function mayClaimLimit(job: QueuedJob, refusal: QueueLimit | null): boolean {
    if (job.shape.gpus < 2 || !gate.limitsGpus(job)) return false;
    return (refusal === null || canWaitFor(refusal)) && shapeState(job).canRun;
  }

  /** @returns those that keep GPUs, and those that keep their part of a limit. */
  function restoreReservations() {
    const kept = new Map<string, Reservation>();
    const onlyLimited = new Map<string, Reservation>();
    if (team.reservations.length === 0) return { kept, onlyLimited };
    const byJob = new Map(team.reservations.map((reservation) => [reservation.job, reservation]));
    const waiters: Waiter[] = [];
    for (const job of team.queued) {
      const mine = byJob.get(job.id);
      if (mine && !outReason(job)) waiters.push({ claim: claimOf(job, mine), before: mine });
    }
    // The older ones first: a younger one's estimate depends on them.
    waiters.sort((a, b) => (isSenior(a.claim, b.claim) ? -1 : 1));
    for (const waiter of waiters) {
      const { claim, before: mine } = waiter;
      const { job, band } = claim;
      const refusal = gate.refusal(job, band);
      if (refusal === null && mine?.targetId !== null && mine && restore(waiter, context)) {
        kept.set(job.id, mine);
        gate.claim(claim, null);
        shapeState(job).reservedIn ??= band;
      } else if (mayClaimLimit(job, refusal)) {
        gate.claim(claim, refusal);
        onlyLimited.set(job.id, limitOnly(claim));
      }
    }
    return { kept, onlyLimited };
  }
}

function canWaitFor({ of, need, limit }: QueueLimit): boolean {
  return of === "gpus" && need <= limit;
}

function limitOnly({ job, order }: Claim): Reservation {
  return { job: job.id, order, targetId: null, gpuIds: [] };
}

function isAnywhere({ selector }: QueueView): boolean {
  return selector.targets.length === 0 && Object.keys(selector.labels).length === 0;
}
