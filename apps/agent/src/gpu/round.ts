/**
 * Groups lines that arrive in bursts into rounds, one sample over all devices, and ends a round as early as it can be known:
 * all expected keys are there, a key comes again, or the burst is over. Owns the open round and one timer.
 */
export type Round<Row> = {
  /** @param expected how many rows make a round, where that is known */
  add(key: string, row: Row, expected: number | null): void;
  close(): void;
};

export type RoundOptions<Row> = {
  onRound: (rows: Row[]) => void;
  /** A burst is over after this long without a row. */
  quietMs: number;
  /** What a key that is already there means: the next round, or a better word on the same thing. */
  onRepeat: "end" | "replace";
};

export function createRound<Row>(options: RoundOptions<Row>): Round<Row> {
  let rows = new Map<string, Row>();
  let timer: NodeJS.Timeout | null = null;

  function flush(): void {
    if (timer !== null) clearTimeout(timer);
    timer = null;
    if (rows.size === 0) return;
    const whole = [...rows.values()];
    rows = new Map();
    options.onRound(whole);
  }

  return {
    add(key, row, expected) {
      if (options.onRepeat === "end" && rows.has(key)) flush();
      rows.set(key, row);
      if (expected !== null && rows.size >= expected) flush();
      else if (timer === null) timer = setTimeout(flush, options.quietMs).unref();
      else timer.refresh();
    },
    close() {
      if (timer !== null) clearTimeout(timer);
      timer = null;
      rows = new Map();
    },
  };
}
