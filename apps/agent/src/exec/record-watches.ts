import { type FSWatcher, watch } from "node:fs";

/** Tells when records change whose supervisors do not talk to this agent. Only a hint: looking every few seconds is the net. */
export type RecordWatches = {
  watch(attempt: string, path: string): void;
  unwatch(attempt: string): void;
  close(): void;
};

export function createRecordWatches(onChange: (attempt: string) => void): RecordWatches {
  const watchers = new Map<string, FSWatcher>();
  function unwatch(attempt: string): void {
    watchers.get(attempt)?.close();
    watchers.delete(attempt);
  }
  return {
    watch(attempt, path) {
      if (watchers.has(attempt)) return;
      try {
        const watcher = watch(path, { persistent: false }, () => onChange(attempt));
        watcher.on("error", () => unwatch(attempt));
        watchers.set(attempt, watcher);
      } catch {
        // The file is gone, or this user may hold no more watches.
      }
    },
    unwatch,
    close() {
      for (const attempt of [...watchers.keys()]) unwatch(attempt);
    },
  };
}
