/**
 * Wakes those who watch one thing and nobody else: what an event costs does not grow with the watchers of other things.
 * Owns: the listeners by key, and one listener on the event bus while there are any. Invariant: a key that nobody watches takes
 * no memory.
 */
export type KeyWatch = {
  /** @returns stops listening. */
  onChange(key: string, listener: () => void): () => void;
};

/** @param listen begins to hear of changes, of each key by `wake`. @returns stops that. */
export function createKeyWatch(listen: (wake: (key: string) => void) => () => void): KeyWatch {
  const watchers = new Map<string, Set<() => void>>();
  let unlisten: (() => void) | null = null;

  function wake(key: string): void {
    for (const listener of watchers.get(key) ?? []) listener();
  }

  return {
    onChange(key, listener) {
      const own = watchers.get(key) ?? new Set();
      // Wrapped, so that the same function given twice counts twice and is taken away once.
      const entry = () => listener();
      own.add(entry);
      watchers.set(key, own);
      unlisten ??= listen(wake);
      return () => {
        if (!own.delete(entry) || own.size > 0) return;
        watchers.delete(key);
        if (watchers.size > 0) return;
        unlisten?.();
        unlisten = null;
      };
    },
  };
}
