/** In place of `node:fs`: the calls that the product makes, on the simulated machine's disk. */
import { constants } from "node:fs";
import {
  access,
  bytesOf,
  closeFile,
  contentOf,
  disk,
  type Encoding,
  fileAt,
  folderAt,
  isProgram,
  mustFind,
  now,
  opened,
  openFile,
  readAt,
  roomOf,
  statsOf,
  writeAt,
  writeWhole,
} from "../world/files.ts";
import { kernel } from "../world/kernel.ts";

export { constants };

export const existsSync = (path: string) => now(() => isProgram(path) || disk().find(path) !== null);
export const accessSync = (path: string) => now(() => access(path));
export const mkdirSync = (path: string, options?: { recursive?: boolean }) =>
  now(() => disk().makeFolder(path, options?.recursive === true));
export const readdirSync = (path: string, options?: { withFileTypes?: boolean }) =>
  now(() => {
    const { entries } = folderAt(path);
    if (options?.withFileTypes !== true) return [...entries.keys()];
    return [...entries].map(([name, inode]) => ({ name, isDirectory: () => inode.kind === "folder" }));
  });
export const openSync = (path: string, flags?: string | number) => now(() => openFile(path, flags));
export const closeSync = (fd: number) => now(() => closeFile(fd));
export const readFileSync = (path: string, encoding?: Encoding) =>
  now(() => contentOf(fileAt(path), encoding));
export const writeFileSync = (path: string, data: string | Uint8Array, options?: Encoding) =>
  now(() => writeWhole(path, data, options));
export const writeSync = (fd: number, data: string | Uint8Array, from = 0) =>
  now(() => writeAt(fd, bytesOf(data).subarray(from), null));
/** The simulated disk has no links. */
export const realpathSync = (path: string) => path;
export const readSync = (fd: number, ...[into, offset, length, position]: ReadArguments) =>
  now(() => readAt(fd, into.subarray(offset, offset + length), position));
type ReadArguments = [into: Uint8Array, offset: number, length: number, position: number | null];
export const rmSync = (path: string, options?: { recursive?: boolean; force?: boolean }) =>
  now(() => disk().remove(path, { recursive: options?.recursive === true, force: options?.force === true }));
export const unlinkSync = (path: string) =>
  now(() => disk().remove(path, { recursive: false, force: false }));
export const rmdirSync = (path: string) => now(() => disk().removeFolder(path));
export const renameSync = (from: string, to: string) => now(() => disk().rename(from, to));
export const linkSync = (from: string, to: string) => now(() => disk().link(from, to));
export const statSync = (path: string, options?: { throwIfNoEntry?: boolean }) =>
  now(() => {
    if (options?.throwIfNoEntry === false && disk().find(path) === null) return undefined;
    return statsOf(mustFind(path));
  });

export const fdatasyncSync = (fd: number) => now(() => disk().sync(opened(fd).inode));
export const statfsSync = () => now(roomOf);

const NOTICE_MS = 0.3;

export function watch(path: string, _options: unknown, onChange: () => void) {
  return now(() => {
    const file = fileAt(path);
    const { current, after, random } = kernel();
    let isPlanned = false;
    const notice = () => {
      if (isPlanned) return;
      isPlanned = true;
      after(random.delayMs(NOTICE_MS), current, () => {
        isPlanned = false;
        if (file.watchers.has(notice)) onChange();
      });
    };
    file.watchers.add(notice);
    current?.onDeath.push(() => file.watchers.delete(notice));
    return { on: () => undefined, close: () => file.watchers.delete(notice) };
  });
}
