import type { Holder } from "@nexus/shared/scheduler/reason";
import type { Hold } from "./board.ts";

/** More names than this nobody reads in a sentence. */
const HOLDERS_MAX = 3;

/** Who is in the way, the soonest to end first, as far as anyone knows. A job counts once, however much it holds. */
export function nameHolders(
  held: readonly { hold: Hold; target: string }[],
  nowMs: number,
): { holders: Holder[]; moreHolders: number } {
  const byJob = new Map(held.map((one) => [one.hold.job, one]));
  const holders = [...byJob.values()]
    .map(({ hold, target }) => ({ hold, target, end: knownEnd(hold) }))
    .sort(
      (a, b) =>
        (a.end?.atMs ?? Number.POSITIVE_INFINITY) - (b.end?.atMs ?? Number.POSITIVE_INFINITY) ||
        a.hold.sinceMs - b.hold.sinceMs ||
        (a.hold.job < b.hold.job ? -1 : 1),
    )
    .map(({ hold, target, end }) => ({
      job: hold.job,
      user: hold.userName,
      target,
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
