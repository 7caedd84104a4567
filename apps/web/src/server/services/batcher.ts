/**
 * Collects items while the previous batch is being worked on, so that any number of callers costs one statement a round.
 * States: idle, planned (a round begins after this turn of the event loop), busy. It refuses nothing; callers bound what
 * they add. A round that fails fails all of its items, and the next round is tried.
 */
export type Batcher<T, R> = { add(item: T): Promise<R> };

type Waiting<T, R> = { item: T; resolve: (result: R) => void; reject: (error: unknown) => void };

/**
 * @param work answers one result for each item, in their order.
 * @param gapMs the least time between two rounds: under load more items share one, and a lone item waits for none.
 */
export function createBatcher<T, R>(work: (items: T[]) => Promise<R[]>, gapMs = 0): Batcher<T, R> {
  let endedAtMs = Number.NEGATIVE_INFINITY;
  let waiting: Waiting<T, R>[] = [];
  let isPlanned = false;

  async function round(): Promise<void> {
    const batch = waiting;
    waiting = [];
    try {
      const results = await work(batch.map(({ item }) => item));
      for (const [i, one] of batch.entries()) one.resolve(results[i] as R);
    } catch (error) {
      for (const one of batch) one.reject(error);
    }
    endedAtMs = performance.now();
    isPlanned = false;
    if (waiting.length > 0) plan();
  }

  function plan(): void {
    isPlanned = true;
    const waitMs = gapMs - (performance.now() - endedAtMs);
    if (waitMs > 0) setTimeout(round, waitMs);
    else setImmediate(round);
  }

  return {
    add(item) {
      const promise = new Promise<R>((resolve, reject) => waiting.push({ item, resolve, reject }));
      if (!isPlanned) plan();
      return promise;
    },
  };
}
