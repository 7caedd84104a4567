/**
 * The scheduler's one decision: who starts where now, and why everyone else waits. Pure: equal snapshots give equal plans,
 * in whatever order their parts are listed.
 */
import type { WaitingReason } from "@nexus/shared/scheduler/reason";
import { type Band, type Board, buildBoards, type Claim, isHigher, isSenior, occupy } from "./board.ts";
import { explain } from "./explain.ts";
import { type Fit, fitOn, matchesTarget } from "./feasible.ts";
import { compareFits, createLine } from "./rank.ts";
import { release, reserve, restore, type Waiter } from "./reserve.ts";
import type {
  FleetSnapshot,
  Plan,
  Policy,
  QueuedJob,
  QueueView,
  Reservation,
  Shape,
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

/** What the jobs of one shape have in common while a plan is made. */
type ShapeState = {
  boards: Board[];
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
  const context = { boards, nowMs, policy };
  const queues = queueCounts(team);
  const shapes = new Map<string, ShapeState>();
  let nextOrder = 1 + Math.max(0, ...team.reservations.map((reservation) => reservation.order));
  const before = restoreReservations();
  const reservations: Reservation[] = [];
  let reservationsLeft = Math.max(0, policy.reservationsMax - before.size);
  const line = createLine(team, policy);

  for (let job = line.next(); job !== null; job = line.next()) {
    const queue = queues.get(job.queueId);
    const held = heldBack(job, queue, nowMs);
    if (held) {
      result.line.push(job.id);
      result.reasons.set(job.id, held);
      if (held.code === "backoff") wakeAt(held.untilMs);
      continue;
    }
    line.charge(job);
    const state = shapeState(job.shape);
    const fit = findFit(job, state);
    if (fit) {
      if (before.has(job.id)) release(job, context);
      // It took or gave back GPUs that were kept: what that changes for jobs that this round passed, the next one sees.
      if (before.has(job.id) || fit.touchesKept) result.wakeAtMs = nowMs;
      result.placements.push(occupy(fit, job, nowMs));
      if (queue) queue.running += 1;
      continue;
    }
    result.line.push(job.id);
    state.waiting.push(job);
    keepGpus(job, state);
  }

  for (const { hold } of result.line.length > 0 ? team.targets : []) {
    const untilMs = hold?.untilMs ?? null;
    if (untilMs !== null && untilMs > nowMs) wakeAt(untilMs);
  }
  for (const { waiting } of shapes.values()) {
    const [first] = waiting;
    if (!first) continue;
    const reason = explain(first, context);
    for (const job of waiting) result.reasons.set(job.id, reason);
  }
  return reservations;

  function wakeAt(atMs: number): void {
    result.wakeAtMs = Math.min(result.wakeAtMs ?? atMs, atMs);
  }

  function bandOf(job: QueuedJob): Band {
    return { queuePriority: queues.get(job.queueId)?.queue.priority ?? 0, priority: job.priority };
  }

  function claimOf(job: QueuedJob, before: Reservation | null): Claim {
    const order = before?.order ?? nextOrder++;
    return { job, band: bandOf(job), order, startMs: nowMs };
  }

  function shapeState(shape: Shape): ShapeState {
    let state = shapes.get(shape.key);
    if (!state) {
      const matching = boards.filter((board) => board.isUsable && matchesTarget(board, shape));
      state = { boards: matching, refusedFromMs: null, waiting: [], reservedIn: null };
      shapes.set(shape.key, state);
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
    const mine = before.get(job.id) ?? null;
    const band = bandOf(job);
    if (!mine) {
      if (reservationsLeft === 0 || (state.reservedIn && !isHigher(band, state.reservedIn))) return;
      reservationsLeft -= 1;
    }
    const reservation = reserve({ claim: claimOf(job, mine), before: mine }, context);
    if (!reservation) return;
    reservations.push(reservation);
    state.reservedIn = band;
  }

  function restoreReservations(): Map<string, Reservation> {
    const restored = new Map<string, Reservation>();
    if (team.reservations.length === 0) return restored;
    const byJob = new Map(team.reservations.map((reservation) => [reservation.job, reservation]));
    const waiters: Waiter[] = [];
    for (const job of team.queued) {
      const mine = byJob.get(job.id);
      if (!mine || heldBack(job, queues.get(job.queueId), nowMs)) continue;
      waiters.push({ claim: claimOf(job, mine), before: mine });
    }
    // The older ones first: a younger one's estimate depends on them.
    waiters.sort((a, b) => (isSenior(a.claim, b.claim) ? -1 : 1));
    for (const waiter of waiters) {
      const { job, band } = waiter.claim;
      if (!waiter.before || !restore(waiter, context)) continue;
      restored.set(job.id, waiter.before);
      shapeState(job.shape).reservedIn ??= band;
    }
    return restored;
  }
}

type QueueCount = { queue: QueueView; running: number };

function queueCounts(team: TeamSnapshot): Map<number, QueueCount> {
  const counts = new Map(team.queues.map((queue) => [queue.id, { queue, running: 0 }]));
  for (const job of team.active) {
    const count = counts.get(job.queueId);
    if (count) count.running += 1;
  }
  return counts;
}

/** What keeps a job out of this round whatever is free. Such a job pays nothing and keeps nothing. */
function heldBack(job: QueuedJob, count: QueueCount | undefined, nowMs: number): WaitingReason | null {
  if (count?.queue.paused) return { code: "queue_paused", queue: count.queue.name };
  if (count && count.queue.runningMax !== null && count.running >= count.queue.runningMax) {
    return { code: "queue_limit", queue: count.queue.name, limit: count.queue.runningMax };
  }
  if (job.backoff && job.backoff.untilMs > nowMs) return { code: "backoff", ...job.backoff };
  return null;
}
