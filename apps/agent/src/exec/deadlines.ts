/** When attempts must end. One timer, for the nearest; Node's timers hold 24 days, deadlines may be later. */
export type Deadlines = {
  set(attempt: string, atMs: number): void;
  clear(attempt: string): void;
  close(): void;
};

const TIMER_MS_MAX = 2 ** 31 - 1;

export function createDeadlines(nowMs: () => number, onDue: (attempt: string) => void): Deadlines {
  const due = new Map<string, number>();
  let timer: NodeJS.Timeout | null = null;
  let timerAtMs = Number.POSITIVE_INFINITY;

  function arm(atMs: number): void {
    if (atMs >= timerAtMs) return;
    if (timer !== null) clearTimeout(timer);
    timerAtMs = atMs;
    timer = setTimeout(fire, Math.min(Math.max(0, atMs - nowMs()), TIMER_MS_MAX));
  }

  function fire(): void {
    timer = null;
    timerAtMs = Number.POSITIVE_INFINITY;
    for (const [attempt, atMs] of due) {
      if (atMs > nowMs()) arm(atMs);
      else {
        due.delete(attempt);
        onDue(attempt);
      }
    }
  }

  return {
    set(attempt, atMs) {
      due.set(attempt, atMs);
      arm(atMs);
    },
    clear(attempt) {
      // The timer stays: at worst it fires once for nothing.
      due.delete(attempt);
    },
    close() {
      if (timer !== null) clearTimeout(timer);
      due.clear();
    },
  };
}
