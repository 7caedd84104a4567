import type { Sample } from "./bench-case.ts";

export type Summary = { count: number; p50: number; p99: number; min: number; max: number };

export function summarize(samples: Sample[]): Summary {
  const sorted = [...samples].sort((a, b) => a - b);
  return {
    count: sorted.length,
    p50: quantile(sorted, 0.5),
    p99: quantile(sorted, 0.99),
    min: quantile(sorted, 0),
    max: quantile(sorted, 1),
  };
}

/** The smallest sample that at least this share of all samples does not exceed: always one that was measured. */
function quantile(sorted: Sample[], share: number): number {
  const at = Math.max(0, Math.ceil(share * sorted.length) - 1);
  return sorted[at] ?? Number.NaN;
}
