/**
 * Collects items while the previous batch is being worked on, so that any number of callers costs one statement a round.
 * States: idle, planned (a round begins after this turn of the event loop), busy. It refuses nothing; callers bound what
 * they add. A round that fails fails all of its items, and the next round is tried.
 */
export type Batcher<T, R> = { add(item: T): Promise<R> };

type Waiting<T, R> = { item: T; resolve: (result: R) => void; reject: (error: unknown) => void };

/** @param work answers one result for each item, in their order. */
export function createBatcher<T, R>(work: (items: T[]) => Promise<R[]>): Batcher<T, R> {
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
    if (waiting.length > 0) setImmediate(round);
    else isPlanned = false;
  }

  return {
    add(item) {
      const promise = new Promise<R>((resolve, reject) => waiting.push({ item, resolve, reject }));
      if (!isPlanned) {
        isPlanned = true;
        setImmediate(round);
      }
      return promise;
    },
  };
}
