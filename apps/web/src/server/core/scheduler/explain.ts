/** Why a job that found no place waits. Asked once a shape, after everything else was placed. */
import type { Holder, Need, Offer, WaitingReason } from "@nexus/shared/scheduler/reason";
import { selectorText } from "@nexus/shared/scheduler/selector-text";
import { type Board, type Claim, type GpuSlot, isSenior } from "./board.ts";
import { isFreeOfForeign, isFreeOfLeases, isSelected, matchesTarget, qualifies } from "./feasible.ts";
import { nameHolders } from "./name-holders.ts";
import type { Policy, QueueSelector, Shape } from "./snapshot.ts";

type ExplainContext = { boards: readonly Board[]; nowMs: number; policy: Policy };

/** Without a queue, or in one that runs anywhere, only what the job asks for counts. */
export type Waiting = {
  id: string;
  shape: Shape;
  queue: { name: string; selector: QueueSelector } | null;
};

export function explain(job: Waiting, context: ExplainContext): WaitingReason {
  const { shape, queue } = job;
  if (context.boards.length === 0) return { code: "no_targets" };
  const fitting = context.boards.filter((board) => matchesTarget(board, shape));
  if (fitting.length === 0) return { code: "no_match", wanted: wantedText(shape) ?? "this job" };
  const matching = queue ? fitting.filter((board) => isSelected(board, queue.selector)) : fitting;
  if (queue === null || matching.length === fitting.length) return explainAmong(matching, job, context);
  const selector = { queue: queue.name, only: selectorWords(queue.selector, context.boards) };
  if (matching.length > 0) return { ...explainAmong(matching, job, context), selector };
  const isEmpty = !context.boards.some((board) => isSelected(board, queue.selector));
  return { code: "queue_selector", ...selector, wanted: isEmpty ? null : wantedText(shape) };
}

function explainAmong(matching: Board[], { id, shape }: Waiting, context: ExplainContext): WaitingReason {
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
    const keeper = keeperOf(view.slots, id);
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

function holdersOf({ board, slots }: View, nowMs: number): { holders: Holder[]; moreHolders: number } {
  const holds = slots.length > 0 ? slots.flatMap((slot) => slot.holds) : board.cpuHolds;
  return nameHolders(
    holds.map((hold) => ({ hold, target: board.target.name })),
    nowMs,
  );
}

/** With the names that the targets have now. */
function selectorWords({ labels, targets }: QueueSelector, boards: readonly Board[]): string {
  const names = new Map(boards.map(({ target }) => [target.id, target.name]));
  return selectorText({ labels, targets: targets.map(({ id, name }) => names.get(id) ?? name) });
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

function wantedText(shape: Shape): string | null {
  const labels = Object.entries(shape.labels).map(([key, value]) => `${key}=${value}`);
  return [shape.wanted?.name, labels.sort().join(",")].filter(Boolean).join(" with ") || null;
}

function maxBy<T>(items: readonly T[], score: (item: T) => number): T | undefined {
  let best: T | undefined;
  for (const item of items) if (best === undefined || score(item) > score(best)) best = item;
  return best;
}
