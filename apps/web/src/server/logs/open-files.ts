/**
 * Files held open between uses, at most `openMax` of them.
 *
 * Owns: the handles, who uses each, and the line of those who wait for room. States of a file: opening, in use, idle, closing.
 * Invariants: opening, open and closing files together never exceed `openMax`; a file in use is not closed; the idle one that
 * was used longest ago makes room first; who asked first gets room first. It refuses everything once it is closed.
 * Nobody may ask for a second file while using one: with all room taken by such users, none would ever end.
 */
import { type FileHandle, open } from "node:fs/promises";
import { assert } from "@nexus/shared/assert";

export type OpenFiles = {
  /** `flags` as in `open`, part of the file's identity: one open for reading is not lent for writing. */
  use<T>(file: FileName, work: (handle: FileHandle) => Promise<T>): Promise<T>;
  /** Closes every handle on the path when its users are done. Whoever asks for it later opens it anew. */
  forget(path: string): Promise<void>;
  close(): Promise<void>;
};

export type FileName = { path: string; flags: number; mode?: number | undefined };

type OpenFile = {
  path: string;
  key: string;
  handle: Promise<FileHandle>;
  users: number;
  /** Not to be lent again; closed with its last user. */
  isLeaving: boolean;
  whenClosed: Promise<void>;
  onClosed: () => void;
};

export function createOpenFiles(openMax: number): OpenFiles {
  assert(Number.isInteger(openMax) && openMax > 0, "room for at least one file");
  /** By key, the one used longest ago first. Those that leave are not in here, but count in `taken`. */
  const files = new Map<string, OpenFile>();
  const leaving = new Set<OpenFile>();
  const waiting: (() => void)[] = [];
  let taken = 0;
  let isClosed = false;

  async function use<T>(name: FileName, work: (handle: FileHandle) => Promise<T>): Promise<T> {
    const file = await lend(name);
    try {
      return await work(await file.handle);
    } finally {
      file.users -= 1;
      if (file.users === 0) settle(file);
    }
  }

  async function lend(name: FileName): Promise<OpenFile> {
    const key = `${name.flags} ${name.path}`;
    for (;;) {
      assert(!isClosed, "files are closed");
      const known = files.get(key);
      if (known) {
        files.delete(key);
        files.set(key, known);
        known.users += 1;
        return known;
      }
      if (taken < openMax) return add(key, name);
      await room();
    }
  }

  function add(key: string, { path, flags, mode }: FileName): OpenFile {
    const { promise: whenClosed, resolve: onClosed } = Promise.withResolvers<void>();
    const handle = open(path, flags, mode);
    const file: OpenFile = { path, key, handle, users: 1, isLeaving: false, whenClosed, onClosed };
    taken += 1;
    files.set(key, file);
    // A file that could not be opened is not kept: its users see the error, the next one tries again.
    handle.catch(() => leave(file));
    return file;
  }

  /** Waits until there may be room, after making some where that is possible. */
  async function room(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    waiting.push(resolve);
    evict();
    await promise;
  }

  function evict(): void {
    for (const file of files.values()) {
      if (leaving.size >= waiting.length) return;
      if (file.users === 0) leave(file);
    }
  }

  function settle(file: OpenFile): void {
    if (file.isLeaving) shut(file);
    else if (waiting.length > leaving.size) leave(file);
  }

  function leave(file: OpenFile): void {
    if (file.isLeaving) return;
    file.isLeaving = true;
    files.delete(file.key);
    leaving.add(file);
    if (file.users === 0) shut(file);
  }

  /** A failed close is not an error of whoever asks next: what was written is in the kernel, and `sync` asks about that. */
  function shut(file: OpenFile): void {
    const done = () => {
      taken -= 1;
      leaving.delete(file);
      file.onClosed();
      waiting.shift()?.();
    };
    file.handle.then((handle) => handle.close()).then(done, done);
  }

  return {
    use,
    async forget(path) {
      for (const file of [...files.values()]) if (file.path === path) leave(file);
      await Promise.all([...leaving].filter((file) => file.path === path).map((file) => file.whenClosed));
    },
    async close() {
      isClosed = true;
      for (const file of [...files.values()]) leave(file);
      for (const resolve of waiting.splice(0)) resolve();
      await Promise.all([...leaving].map((file) => file.whenClosed));
    },
  };
}
