/**
 * Turns a stream of "this id changed" into batches that a viewer can take. Owns the set of ids that changed since the last
 * batch. Invariants: at most one batch per `intervalMs`; none while the viewer is behind, so a slow viewer costs one set of ids and
 * not a queue of messages; at most `pendingMax` ids, the oldest go first. Listening begins with the call, before the first batch is
 * asked for, so nothing between a snapshot and the first batch is missed. Ends when the signal aborts or on `close`.
 */
const INTERVAL_MS = 250;
const PENDING_MAX = 10_000;
/** A viewer that has this much unread gets no more until it has read. */
const BEHIND_BYTES = 1024 * 1024;

export type ChangeFeed = AsyncIterable<string[]> & { close(): void };

export type ChangeFeedOptions = {
  listen: (note: (id: string) => void) => () => void;
  signal: AbortSignal;
  bufferedBytes: () => number;
  intervalMs?: number;
  pendingMax?: number;
};

export function openChangeFeed(options: ChangeFeedOptions): ChangeFeed {
  const { signal, bufferedBytes, intervalMs = INTERVAL_MS, pendingMax = PENDING_MAX } = options;
  const pending = new Set<string>();
  let closed = false;
  let wake: (() => void) | null = null;
  const nudge = () => wake?.();
  const unlisten = options.listen((id) => {
    // Moved to the end: what changes often is newest.
    pending.delete(id);
    pending.add(id);
    const oldest = pending.size > pendingMax ? pending.values().next().value : undefined;
    if (oldest !== undefined) pending.delete(oldest);
    nudge();
  });
  signal.addEventListener("abort", nudge);

  function close(): void {
    closed = true;
    unlisten();
    signal.removeEventListener("abort", nudge);
    nudge();
  }

  /** Until the limit, or without one until something changed; the end cuts both short. */
  async function pause(limitMs: number | null): Promise<void> {
    if (signal.aborted || closed) return;
    await new Promise<void>((resolve) => {
      const done = () => {
        clearTimeout(timer);
        wake = null;
        resolve();
      };
      const timer = limitMs === null ? undefined : setTimeout(done, limitMs);
      wake = () => {
        if (limitMs === null || signal.aborted || closed) done();
      };
    });
  }

  async function* batches(): AsyncGenerator<string[]> {
    try {
      while (!signal.aborted && !closed) {
        if (pending.size === 0) {
          await pause(null);
          continue;
        }
        if (bufferedBytes() > BEHIND_BYTES) {
          await pause(intervalMs);
          continue;
        }
        const ids = [...pending];
        pending.clear();
        yield ids;
        await pause(intervalMs);
      }
    } finally {
      close();
    }
  }

  return { [Symbol.asyncIterator]: batches, close };
}
