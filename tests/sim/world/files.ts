/** What stand-ins of `node:fs` and `node:fs/promises` share: open files, and calls that a program may die in. */
import { constants } from "node:fs";
import { DiskError, type File, type Folder, type Inode } from "./disk.ts";
import { Death, kernel } from "./kernel.ts";
import { machineOfProgram } from "./machine.ts";

export type OpenFile = { inode: Inode; path: string; position: number; appends: boolean };
export type Encoding =
  | BufferEncoding
  | { encoding?: BufferEncoding | null; mode?: number; flag?: string }
  | null
  | undefined;

const openFiles = new Map<number, OpenFile>();
let nextFd = 10;

/** One call in ten takes its time, so that others come in between. */
const SLOW_CALLS = 0.1;
const SLOW_CALL_MS = 1;

/** What happens at once. */
export function now<T>(work: () => T): T {
  kernel().call();
  return work();
}

/** What happens at once or soon; a program that died waits for ever. */
export function later<T>(work: () => T): Promise<T> {
  const { random, current, after } = kernel();
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const run = () => {
    try {
      resolve(now(work));
    } catch (error) {
      if (!(error instanceof Death)) reject(error);
    }
  };
  if (random.chance(SLOW_CALLS)) after(random.delayMs(SLOW_CALL_MS), current, run);
  else run();
  return promise;
}

export function disk() {
  return machineOfProgram().disk;
}

export function mustFind(path: string): Inode {
  const inode = disk().find(path);
  if (inode === null) throw new DiskError("ENOENT", path);
  return inode;
}

export function fileAt(path: string): File {
  const inode = mustFind(path);
  if (inode.kind !== "file") throw new DiskError("EISDIR", path);
  return inode;
}

export function folderAt(path: string): Folder {
  const inode = mustFind(path);
  if (inode.kind !== "folder") throw new DiskError("ENOTDIR", path);
  return inode;
}

export function openFile(path: string, flags: string | number = "r"): number {
  const bits = typeof flags === "number" ? flags : bitsOf(flags);
  const makes = (bits & constants.O_CREAT) !== 0;
  const inode = makes ? disk().makeFile(path, (bits & constants.O_EXCL) !== 0) : mustFind(path);
  if (inode.kind === "file" && (bits & constants.O_TRUNC) !== 0) disk().truncate(inode, 0);
  nextFd += 1;
  openFiles.set(nextFd, { inode, path, position: 0, appends: (bits & constants.O_APPEND) !== 0 });
  return nextFd;
}

function bitsOf(flags: string): number {
  const { O_RDONLY, O_RDWR, O_CREAT, O_TRUNC, O_EXCL, O_APPEND, O_WRONLY } = constants;
  const known: Record<string, number> = {
    r: O_RDONLY,
    "r+": O_RDWR,
    w: O_WRONLY | O_CREAT | O_TRUNC,
    wx: O_WRONLY | O_CREAT | O_TRUNC | O_EXCL,
    a: O_WRONLY | O_CREAT | O_APPEND,
  };
  const bits = known[flags];
  if (bits === undefined) throw new Error(`flags ${flags} are not simulated`);
  return bits;
}

export function opened(fd: number): OpenFile {
  const found = openFiles.get(fd);
  if (found === undefined) throw new DiskError("EBADF", String(fd));
  return found;
}

export function openedFile(fd: number): File {
  const { inode, path } = opened(fd);
  if (inode.kind !== "file") throw new DiskError("EISDIR", path);
  return inode;
}

export function closeFile(fd: number): void {
  openFiles.delete(fd);
}

export function readAt(fd: number, into: Uint8Array, position: number | null): number {
  const open = opened(fd);
  const file = openedFile(fd);
  const from = position ?? open.position;
  const count = Math.max(0, Math.min(into.length, file.size - from));
  into.set(file.bytes.subarray(from, from + count));
  if (position === null) open.position += count;
  return count;
}

export function writeAt(fd: number, bytes: Uint8Array, position: number | null): number {
  if (bytes.length === 0) return 0;
  const open = opened(fd);
  const file = openedFile(fd);
  const from = open.appends ? file.size : (position ?? open.position);
  const count = disk().write(file, from, bytes);
  if (position === null) open.position = from + count;
  return count;
}

export function bytesOf(data: string | Uint8Array, encoding?: Encoding): Uint8Array {
  return typeof data === "string" ? Buffer.from(data, encodingOf(encoding) ?? "utf8") : data;
}

function encodingOf(encoding: Encoding): BufferEncoding | null {
  if (typeof encoding === "string") return encoding;
  return encoding?.encoding ?? null;
}

export function contentOf(file: File, encoding: Encoding): string | Buffer {
  const bytes = Buffer.from(file.bytes.slice(0, file.size));
  const name = encodingOf(encoding);
  return name === null ? bytes : bytes.toString(name);
}

export function statsOf(inode: Inode) {
  const isFile = inode.kind === "file";
  return {
    ino: inode.ino,
    size: isFile ? inode.size : 0,
    mtimeMs: isFile ? inode.mtimeMs : 0,
    mode: 0o600,
    isFile: () => isFile,
    isDirectory: () => !isFile,
  };
}

/** Of `statfs`: what is full beyond this is full. */
export function roomOf() {
  const bavail = Math.min(disk().freeBytes, DISK_BYTES);
  return { bavail, bfree: bavail, blocks: DISK_BYTES, ffree: 1_000_000, files: 1_000_000, bsize: 1 };
}

const DISK_BYTES = 2 ** 40;

export function writeWhole(path: string, data: string | Uint8Array, options: Encoding): void {
  const fd = openFile(path, (typeof options === "object" ? options?.flag : null) ?? "w");
  const bytes = bytesOf(data, options);
  let done = 0;
  while (done < bytes.length) done += writeAt(fd, bytes.subarray(done), null);
  closeFile(fd);
}

export function access(path: string): void {
  // Programs of the system are there without being files.
  if (isProgram(path)) return;
  mustFind(path);
}

export const isProgram = (path: string): boolean => /^(\/usr)?\/bin\/(bash|sh|work)$/.test(path);
