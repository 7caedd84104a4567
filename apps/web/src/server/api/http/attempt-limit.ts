/**
 * Slows down guessing. Owns a count of tries by subject (an address, an e-mail) in fixed windows. States: under the limit, or
 * over it until the window ends. Invariant: at most `subjectsMax` subjects are remembered; past that the oldest go, so a
 * flood of made-up subjects costs no memory. Refuses by answering how long to wait.
 */
export type AttemptLimit = {
  /** Counts one try. @returns 0 when it may go on, else the ms to wait. */
  take(subject: string, nowMs: number): number;
  clear(subject: string): void;
};

export type AttemptLimitOptions = { triesMax: number; windowMs: number; subjectsMax?: number };

export function createAttemptLimit(options: AttemptLimitOptions): AttemptLimit {
  const { triesMax, windowMs, subjectsMax = 10_000 } = options;
  const windows = new Map<string, { tries: number; endsAtMs: number }>();

  return {
    take(subject, nowMs) {
      const open = windows.get(subject);
      if (open && nowMs < open.endsAtMs) {
        if (open.tries >= triesMax) return open.endsAtMs - nowMs;
        open.tries += 1;
        return 0;
      }
      windows.delete(subject);
      windows.set(subject, { tries: 1, endsAtMs: nowMs + windowMs });
      const oldest = windows.size > subjectsMax ? windows.keys().next().value : undefined;
      if (oldest !== undefined) windows.delete(oldest);
      return 0;
    },
    clear(subject) {
      windows.delete(subject);
    },
  };
}
