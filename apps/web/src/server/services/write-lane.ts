/**
 * One writer at a time for the rows of jobs, attempts and leases. Owns the queue of work. Invariants: work runs in the
 * order in which it was asked for, and a piece sees all that the pieces before it committed, in the database and in the
 * live jobs. What a piece that failed has committed nobody knows: whoever owns what is kept in memory hears of it before the
 * next piece begins. It refuses nothing. Throughput comes from batches, not from overlap: what arrives while a piece commits
 * is one statement afterwards. Without it every pair of statements would need an argument about lock order.
 */
export type WriteLane = {
  run<T>(work: () => Promise<T>): Promise<T>;
  /** When all that was asked for so far is done. */
  idle(): Promise<void>;
};

export function createWriteLane(onFailure: () => void): WriteLane {
  let last: Promise<unknown> = Promise.resolve();
  return {
    run(work) {
      const result = last.then(work);
      last = result.catch(onFailure);
      return result;
    },
    async idle() {
      await last;
    },
  };
}
