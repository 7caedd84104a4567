/**
 * Runs something so that every caller gets a run which began after its call, with at most one under way and one waiting,
 * however many callers there are: a hundred jobs that end together cost two runs.
 */
export function createFresh(run: () => Promise<void>): () => Promise<void> {
  let current: Promise<void> | null = null;
  let next: Promise<void> | null = null;

  function fresh(): Promise<void> {
    if (current === null) {
      current = run().finally(() => {
        current = null;
      });
      return current;
    }
    next ??= current.then(begin, begin);
    return next;
  }

  function begin(): Promise<void> {
    next = null;
    return fresh();
  }

  return fresh;
}
