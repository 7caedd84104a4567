/**
 * Wakes those who watch one attempt's log and nobody else: what a log event costs does not grow with the viewers of other logs.
 * Owns: the listeners by attempt, and one listener on the event bus while there are any. Invariant: an attempt that nobody
 * watches takes no memory.
 */
export type LogWatch = {
  /** @returns stops listening. */
  onChange(attempt: string, listener: () => void): () => void;
};

export type LogEvents = {
  on(type: "log", listener: (event: { attempt: string }) => void): () => void;
};

export function createLogWatch(events: LogEvents): LogWatch {
  const watchers = new Map<string, Set<() => void>>();
  let unlisten: (() => void) | null = null;

  function wake({ attempt }: { attempt: string }): void {
    for (const listener of watchers.get(attempt) ?? []) listener();
  }

  return {
    onChange(attempt, listener) {
      const own = watchers.get(attempt) ?? new Set();
      // Wrapped, so that the same function given twice counts twice and is taken away once.
      const entry = () => listener();
      own.add(entry);
      watchers.set(attempt, own);
      unlisten ??= events.on("log", wake);
      return () => {
        if (!own.delete(entry) || own.size > 0) return;
        watchers.delete(attempt);
        if (watchers.size > 0) return;
        unlisten?.();
        unlisten = null;
      };
    },
  };
}
