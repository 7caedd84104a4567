/** What is known of one way to one machine. Data only: clocks and decisions of others come in as arguments. */
export type TransportHealth = {
  consecutiveFailures: number;
  successes: number;
  failures: number;
  /** Moving average of the time from start to logged in. */
  latencyMs: number | undefined;
  lastSuccessAtMs: number | undefined;
  lastFailureAtMs: number | undefined;
  lastError: string | undefined;
  /** Not before, unless nothing else is left. */
  nextTryAtMs: number;
};

export const UNTRIED: TransportHealth = {
  consecutiveFailures: 0,
  successes: 0,
  failures: 0,
  latencyMs: undefined,
  lastSuccessAtMs: undefined,
  lastFailureAtMs: undefined,
  lastError: undefined,
  nextTryAtMs: 0,
};

const FAILURES_UNHEALTHY = 3;
const FIRST_PAUSE_MS = 30_000;
const PAUSE_MAX_MS = 30 * 60_000;
const NEWEST_WEIGHT = 0.3;

export function isHealthy(health: TransportHealth): boolean {
  return health.consecutiveFailures < FAILURES_UNHEALTHY;
}

/** From 0 to 1; 1 for what was never tried. */
export function successRate({ successes, failures }: TransportHealth): number {
  return successes + failures === 0 ? 1 : successes / (successes + failures);
}

export function afterSuccess(
  health: TransportHealth,
  took: { latencyMs: number; nowMs: number },
): TransportHealth {
  const { latencyMs } = health;
  return {
    ...health,
    consecutiveFailures: 0,
    successes: health.successes + 1,
    latencyMs:
      latencyMs === undefined ? took.latencyMs : latencyMs + NEWEST_WEIGHT * (took.latencyMs - latencyMs),
    lastSuccessAtMs: took.nowMs,
    lastError: undefined,
    nextTryAtMs: 0,
  };
}

export function afterFailure(
  health: TransportHealth,
  failed: { error: string; nowMs: number },
): TransportHealth {
  const consecutiveFailures = health.consecutiveFailures + 1;
  const doublings = consecutiveFailures - FAILURES_UNHEALTHY;
  const pauseMs = doublings < 0 ? 0 : Math.min(PAUSE_MAX_MS, FIRST_PAUSE_MS * 2 ** doublings);
  return {
    ...health,
    consecutiveFailures,
    failures: health.failures + 1,
    lastFailureAtMs: failed.nowMs,
    lastError: failed.error,
    nextTryAtMs: failed.nowMs + pauseMs,
  };
}

/** The machine answered and said no: the way works, and nothing falls through to another one. Only what was said is kept. */
export function afterRefusal(
  health: TransportHealth,
  refused: { error: string; nowMs: number },
): TransportHealth {
  return {
    ...health,
    failures: health.failures + 1,
    lastFailureAtMs: refused.nowMs,
    lastError: refused.error,
  };
}

/**
 * The ways to try now, in the user's order. An unhealthy one is left out until its time; then one attempt at a time
 * probes it, and the others go on without. When all are left out they are tried after all, the soonest first: to be
 * told "not now" helps nobody who asks.
 */
export function chooseTransports<T>(
  ways: readonly T[],
  healthOf: (way: T) => { health: TransportHealth; isBeingProbed: boolean },
  nowMs: number,
): T[] {
  const usable = ways.filter((way) => {
    const { health, isBeingProbed } = healthOf(way);
    return isHealthy(health) || (health.nextTryAtMs <= nowMs && !isBeingProbed);
  });
  if (usable.length > 0) return usable;
  return [...ways].sort(
    (one, other) => healthOf(one).health.nextTryAtMs - healthOf(other).health.nextTryAtMs,
  );
}
