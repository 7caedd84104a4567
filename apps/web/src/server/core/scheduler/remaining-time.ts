/** Fewer runs than this are an anecdote. */
const RUNS_MIN = 3;
/** A run that outlasted all but this share of its kind is not like them. */
const LONGER_SHARE_MIN = 1 / 4;
/** Runs that differ more than this from quarter to quarter allow no sentence with a number in it. */
const SPREAD_MAX = 4;

/**
 * How much longer a run is likely to take that already took `elapsedMs`, from how long others of its kind took.
 * @returns null when nothing honest can be said.
 */
export function remainingMs(pastRunsMs: readonly number[], elapsedMs: number): number | null {
  if (pastRunsMs.length < RUNS_MIN) return null;
  const longer = pastRunsMs.filter((ms) => ms > elapsedMs).sort((a, b) => a - b);
  if (longer.length < Math.max(1, pastRunsMs.length * LONGER_SHARE_MIN)) return null;
  if (quantile(longer, 3 / 4) > SPREAD_MAX * quantile(longer, 1 / 4)) return null;
  return quantile(longer, 1 / 2) - elapsedMs;
}

function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.floor((sorted.length - 1) * share)] ?? 0;
}
