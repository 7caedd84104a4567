/** One piece of work at a time, in the order in which it was asked for. Owns the queue. It refuses nothing. */
export type Lane = {
  run<T>(work: () => Promise<T>): Promise<T>;
  /** When all that was asked for so far is done. */
  idle(): Promise<void>;
};

/** @param onFailure hears of a piece that failed before the next one begins. */
export function createLane(onFailure: () => void = () => undefined): Lane {
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
