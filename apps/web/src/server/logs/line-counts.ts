/**
 * How many line ends each whole block of a log holds. Bytes of a log never change, so a count stays true for as long as its
 * block lies within the log. Owns: the counts, `countsMax` of them. Invariant: the log that was asked for longest ago is
 * forgotten first. It refuses to grow: what does not fit is counted again.
 */
export type LineCounts = {
  get(attempt: string, block: number): number | undefined;
  set(attempt: string, block: number, lineEnds: number): void;
  forget(attempt: string): void;
};

export function createLineCounts(countsMax: number): LineCounts {
  const logs = new Map<string, Map<number, number>>();
  let held = 0;

  function forget(attempt: string): void {
    held -= logs.get(attempt)?.size ?? 0;
    logs.delete(attempt);
  }

  return {
    get: (attempt, block) => logs.get(attempt)?.get(block),
    set(attempt, block, lineEnds) {
      const counts = logs.get(attempt) ?? new Map<number, number>();
      if (counts.has(block)) return;
      logs.delete(attempt);
      logs.set(attempt, counts);
      for (const [oldest] of logs) {
        if (held < countsMax || oldest === attempt) break;
        forget(oldest);
      }
      if (held >= countsMax) return;
      counts.set(block, lineEnds);
      held += 1;
    },
    forget,
  };
}
