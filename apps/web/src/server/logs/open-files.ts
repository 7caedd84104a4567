/**
 * Files held open between uses, at most `openMax` of them.
 *
 * Owns: the handles, who uses each, and the line of those who wait for room. States of a file: opening, in use, idle, leaving
 * (not lent again, closed with its last user). Invariants: opening, open and closing files together never exceed `openMax`;
 * a file in use is not closed; the idle one that was used longest ago makes room first; room goes to whoever asked first.
 * It refuses everything once it is closed. Nobody may ask for a second file while using one: with all room taken by such
 * users none would ever end.
 */
import { constants } from "node:fs";
import { type FileHandle, open as openFile } from "node:fs/promises";
import { assert } from "@nexus/shared/assert";

export type OpenFiles = {
  /** `write` expects the file to be there, `create` makes it or empties it; `read` also opens folders, to sync them. */
  use<T>(file: FileUse, work: (handle: FileHandle) => Promise<T>): Promise<T>;
  /** Closes every handle on the path when its users are done. Whoever asks for it later opens it anew. */
  forget(path: string): Promise<void>;
  close(): Promise<void>;
};

export type FileUse = { path: string; how: "read" | "write" | "create" };

type OpenFile = {
  path: string;
  key: string;
  handle: Promise<FileHandle>;
  users: number;
  isLeaving: boolean;
  whenClosed: Promise<void>;
  onClosed: () => void;
};

const FLAGS = {
  read: constants.O_RDONLY,
  write: constants.O_RDWR,
  create: constants.O_RDWR | constants.O_CREAT | constants.O_TRUNC,
};
/** Logs may hold what a job should not have printed: for nobody but the control plane's own user. */
const FILE_MODE = 0o600;

export function createOpenFiles(openMax: number): OpenFiles {
  assert(Number.isInteger(openMax) && openMax > 0, "there must be room for one file");
  /** By key, the one used longest ago first, without those that leave. */
  const files = new Map<string, OpenFile>();
  const leaving = new Set<OpenFile>();
  const waiting: (() => void)[] = [];
  let taken = 0;
  let isClosed = false;

  async function lend(use: FileUse): Promise<OpenFile> {
    const key = use.how === "read" ? `r ${use.path}` : `w ${use.path}`;
    assert(!isClosed, "the files are closed");
    const open = again(key);
    if (open) return open;
    if (taken < openMax) {
      taken += 1;
      return add(key, use);
    }
    await room();
    // Meanwhile somebody else may have opened it, or closed everything.
    const known = isClosed ? undefined : again(key);
    if (isClosed || known) giveRoom();
    assert(!isClosed, "the files are closed");
    return known ?? add(key, use);
  }

  function again(key: string): OpenFile | undefined {
    const file = files.get(key);
    if (!file) return undefined;
    files.delete(key);
    files.set(key, file);
    file.users += 1;
    return file;
  }

  function add(key: string, { path, how }: FileUse): OpenFile {
    const { promise: whenClosed, resolve: onClosed } = Promise.withResolvers<void>();
    const handle = openFile(path, FLAGS[how], FILE_MODE);
    const file: OpenFile = { path, key, handle, users: 1, isLeaving: false, whenClosed, onClosed };
    files.set(key, file);
    // What could not be opened is not kept: its users see the error, the next one tries again.
    handle.catch(() => leave(file));
    return file;
  }

  /** Resolves when a file made room; it is then the caller's. */
  async function room(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    waiting.push(resolve);
    for (const file of files.values()) {
      if (leaving.size >= waiting.length) break;
      if (file.users === 0) leave(file);
    }
    await promise;
  }

  function giveRoom(): void {
    const next = waiting.shift();
    if (next) next();
    else taken -= 1;
  }

  function leave(file: OpenFile): void {
    if (file.isLeaving) return;
    file.isLeaving = true;
    files.delete(file.key);
    leaving.add(file);
    if (file.users === 0) shut(file);
  }

  /** A failed close is nobody's error: what was written is with the kernel, and `sync` asks after it. */
  function shut(file: OpenFile): void {
    const done = () => {
      leaving.delete(file);
      file.onClosed();
      giveRoom();
    };
    file.handle.then((handle) => handle.close()).then(done, done);
  }

  return {
    async use(use, work) {
      const file = await lend(use);
      try {
        return await work(await file.handle);
      } finally {
        file.users -= 1;
        if (file.users === 0 && file.isLeaving) shut(file);
        else if (file.users === 0 && waiting.length > leaving.size) leave(file);
      }
    },
    async forget(path) {
      for (const how of ["r", "w"]) {
        const file = files.get(`${how} ${path}`);
        if (file) leave(file);
      }
      await Promise.all([...leaving].filter((file) => file.path === path).map((file) => file.whenClosed));
    },
    async close() {
      isClosed = true;
      for (const file of [...files.values()]) leave(file);
      await Promise.all([...leaving].map((file) => file.whenClosed));
    },
  };
}
