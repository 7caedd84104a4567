const POINTS_MAX = 600;
const STEPS_MS = [10_000, 30_000, 60_000, 300_000, 900_000, 3_600_000, 21_600_000];

/** How much time one point of a graph stands for, so that any range draws with some hundred points. */
export function sampleStepMs(rangeMs: number): number {
  return STEPS_MS.find((step) => rangeMs / step <= POINTS_MAX) ?? 86_400_000;
}
