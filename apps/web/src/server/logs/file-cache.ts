/**
 * Open files, a bounded number of them. Owns: the handles. Invariants: a file in use is not closed; at most `filesMax` idle
 * ones stay open, the one used longest ago goes first.
 */
import { type FileHandle, open } from "node:fs/promises";

export type FileCache = {
  /** @throws ENOENT: files are never created here. */
  use<T>(path: string, work: (file: FileHandle) => Promise<T>): Promise<T>;
  forget(path: string): Promise<void>;
  close(): Promise<void>;
};

type Opened = { handle: Promise<FileHandle>; users: number };

export function createFileCache(filesMax: number): FileCache {
  const opened = new Map<string, Opened>();

  function take(path: string): Opened {
    const known = opened.get(path);
    const entry = known ?? { handle: open(path, "r+"), users: 0 };
    opened.delete(path);
    opened.set(path, entry);
    entry.users += 1;
    if (!known) entry.handle.catch(() => opened.delete(path));
    return entry;
  }

  async function trim(): Promise<void> {
    for (const [path, entry] of opened) {
      if (opened.size <= filesMax) return;
      if (entry.users > 0) continue;
      opened.delete(path);
      await (await entry.handle).close();
    }
  }

  return {
    async use(path, work) {
      const entry = take(path);
      try {
        return await work(await entry.handle);
      } finally {
        entry.users -= 1;
        if (opened.size > filesMax) await trim();
      }
    },
    async forget(path) {
      const entry = opened.get(path);
      opened.delete(path);
      await entry?.handle.then((handle) => handle.close()).catch(() => undefined);
    },
    async close() {
      const all = [...opened.values()];
      opened.clear();
      await Promise.all(all.map(({ handle }) => handle.then((file) => file.close()).catch(() => undefined)));
    },
  };
}
