/** Why a job that found no place waits. Asked once a shape, after everything else was placed. */
import type { Holder, Need, Offer, WaitingReason } from "@nexus/shared/scheduler/reason";
import { type Board, type Claim, type GpuSlot, type Hold, isSenior } from "./board.ts";
import { isFreeOfForeign, isFreeOfLeases, matchesTarget, qualifies } from "./feasible.ts";
import type { Policy, Shape } from "./snapshot.ts";

/** More names than this nobody reads in a sentence. */
const HOLDERS_MAX = 3;

export type ExplainContext = { boards: readonly Board[]; nowMs: number; policy: Policy };

export function explain(job: { id: string; shape: Shape }, context: ExplainContext): WaitingReason {
  const { shape } = job;
  if (context.boards.length === 0) return { code: "no_targets" };
  const matching = context.boards.filter((board) => matchesTarget(board, shape));
  if (matching.length === 0) return { code: "no_match", wanted: wantedText(shape) };

  const views = matching.map((board) => viewOf(board, shape, context.policy));
  const capable = views.filter((view) => view.total >= shape.gpus);
  if (capable.length === 0) {
    const best = maxBy(views, (view) => view.total);
    const offer = best && best.total > 0 ? offerOf(best) : null;
    return { code: "impossible", need: needOf(shape), best: offer };
  }
  const connected = capable.filter(({ board }) => board.target.connected);
  if (connected.length === 0) return { code: "offline", targets: namesOf(capable) };
  const open = connected.filter(({ board }) => !board.target.cordoned);
  if (open.length === 0) return { code: "cordoned", targets: namesOf(connected) };
  const usable = open.filter(({ board }) => board.isUsable);
  if (usable.length === 0) return { code: "held", targets: holdsOf(open) };

  // The place that is nearest to a fit tells why: each of these would be the last thing in the way.
  for (const view of usable) {
    if (shape.gpus === 0 || view.clean < shape.gpus) continue;
    const keeper = keeperOf(view.slots, job.id);
    if (keeper) return { code: "reserved", for: keeper.job.id, target: view.board.target.name };
  }
  const stale = usable.filter((view) => view.free >= shape.gpus && view.fresh < shape.gpus);
  if (stale.length > 0) return { code: "stale", targets: namesOf(stale) };
  const foreign = usable.find((view) => view.fresh >= shape.gpus && view.clean < shape.gpus);
  if (foreign)
    return { code: "foreign", target: foreign.board.target.name, users: foreignUsers(foreign.slots) };

  const best = maxBy(usable, (view) => view.free) ?? views[0];
  if (!best) return { code: "no_targets" };
  return { code: "busy", need: needOf(shape), best: offerOf(best), ...holdersOf(best, context.nowMs) };
}

type View = {
  board: Board;
  /** The GPUs that satisfy the shape when empty. */
  slots: GpuSlot[];
  total: number;
  /** Without a lease in the way; of these, with a sample to trust; of these, without foreign memory in the way. */
  free: number;
  fresh: number;
  clean: number;
};

function viewOf(board: Board, shape: Shape, policy: Policy): View {
  if (shape.gpus === 0) {
    const total = board.cpuJobsMax;
    const free = total - board.cpuHolds.length;
    return { board, slots: [], total, free, fresh: free, clean: free };
  }
  const slots = board.slots.filter((slot) => qualifies(slot, shape));
  const free = slots.filter((slot) => isFreeOfLeases(slot, shape));
  const fresh = free.filter((slot) => !slot.isStale);
  const clean = fresh.filter((slot) => isFreeOfForeign(slot, shape, policy));
  return { board, slots, total: slots.length, free: free.length, fresh: fresh.length, clean: clean.length };
}

/** The soonest to end first, as far as anyone knows. */
function holdersOf({ board, slots }: View, nowMs: number): { holders: Holder[]; moreHolders: number } {
  const holds = new Map<string, Hold>();
  for (const hold of slots.length > 0 ? slots.flatMap((slot) => slot.holds) : board.cpuHolds) {
    holds.set(hold.job, hold);
  }
  const holders = [...holds.values()]
    .map((hold) => ({ hold, end: knownEnd(hold) }))
    .sort(
      (a, b) =>
        (a.end?.atMs ?? Number.POSITIVE_INFINITY) - (b.end?.atMs ?? Number.POSITIVE_INFINITY) ||
        a.hold.sinceMs - b.hold.sinceMs ||
        (a.hold.job < b.hold.job ? -1 : 1),
    )
    .map(({ hold, end }) => ({
      job: hold.job,
      user: hold.userName,
      target: board.target.name,
      endsInMs: end === null ? null : Math.max(0, end.atMs - nowMs),
      isLatest: end?.isLatest ?? false,
    }));
  return { holders: holders.slice(0, HOLDERS_MAX), moreHolders: Math.max(0, holders.length - HOLDERS_MAX) };
}

/** What is likely, unless a timeout comes before. */
function knownEnd({ endMs, likelyEndMs }: Hold): { atMs: number; isLatest: boolean } | null {
  if (likelyEndMs !== null && (endMs === null || likelyEndMs < endMs)) {
    return { atMs: likelyEndMs, isLatest: false };
  }
  return endMs === null ? null : { atMs: endMs, isLatest: true };
}

/** The first in line of those that others' claims keep GPUs for. */
function keeperOf(slots: readonly GpuSlot[], job: string): Claim | undefined {
  const claims = slots.flatMap((slot) => slot.claims).filter((claim) => claim.job.id !== job);
  return claims.reduce<Claim | undefined>(
    (first, one) => (first && isSenior(first, one) ? first : one),
    undefined,
  );
}

function foreignUsers(slots: readonly GpuSlot[]): string[] {
  const users = slots.flatMap((slot) => (slot.foreignMib > 0 ? slot.foreignUsers : []));
  const names = [...new Set(users)].sort();
  return names.length > 0 ? names : ["an unknown process"];
}

function offerOf({ board, free, total }: View): Offer {
  return { target: board.target.name, free: Math.max(0, free), total };
}

function needOf(shape: Shape): Need {
  return { gpus: shape.gpus, gpuMemoryMib: shape.gpuMemoryMib, gpuModel: shape.gpuModel };
}

function namesOf(views: View[]): string[] {
  return views.map(({ board }) => board.target.name).sort();
}

function holdsOf(views: View[]): { target: string; fault: string; message: string }[] {
  return views
    .flatMap(({ board: { target } }) =>
      target.hold === null
        ? []
        : [{ target: target.name, fault: target.hold.code, message: target.hold.message }],
    )
    .sort((a, b) => (a.target < b.target ? -1 : 1));
}

function wantedText(shape: Shape): string {
  const labels = Object.entries(shape.labels).map(([key, value]) => `${key}=${value}`);
  return [shape.wanted?.name, labels.sort().join(",")].filter(Boolean).join(" with ") || "this job";
}

function maxBy<T>(items: readonly T[], score: (item: T) => number): T | undefined {
  let best: T | undefined;
  for (const item of items) if (best === undefined || score(item) > score(best)) best = item;
  return best;
}
