/** In place of `node:fs/promises`: the calls that the product makes, on the simulated machine's disk. */
import {
  access as accessNow,
  bytesOf,
  closeFile,
  contentOf,
  disk,
  type Encoding,
  fileAt,
  folderAt,
  later,
  mustFind,
  opened,
  openedFile,
  openFile,
  readAt,
  roomOf,
  statsOf,
  writeAt,
  writeWhole,
} from "../world/files.ts";

export async function open(path: string, flags?: string | number) {
  const fd = await later(() => openFile(path, flags));
  const sync = () =>
    later(() => {
      disk().sync(opened(fd).inode);
    });
  return {
    fd,
    read: (into: Uint8Array, ...[offset, length, position]: [number, number, number | null]) =>
      later(() => ({
        bytesRead: readAt(fd, into.subarray(offset, offset + length), position),
        buffer: into,
      })),
    write: (data: string | Uint8Array, ...rest: WriteRest) =>
      later(() => ({ bytesWritten: writePart(fd, data, rest) })),
    writeFile: (data: string | Uint8Array, encoding?: Encoding) =>
      later(() => {
        let bytes = bytesOf(data, encoding);
        while (bytes.length > 0) bytes = bytes.subarray(writeAt(fd, bytes, null));
      }),
    readFile: (encoding?: Encoding) => later(() => contentOf(openedFile(fd), encoding)),
    stat: () => later(() => statsOf(opened(fd).inode)),
    truncate: (size: number) => later(() => disk().truncate(openedFile(fd), size)),
    datasync: sync,
    sync,
    close: () => later(() => closeFile(fd)),
  };
}

/** Of bytes: from, length, position. Of text: position, encoding. */
type WriteRest = [number?, (number | string)?, (number | null)?];

function writePart(fd: number, data: string | Uint8Array, rest: WriteRest): number {
  if (typeof data === "string") return writeAt(fd, bytesOf(data, rest[1] as Encoding), rest[0] ?? null);
  const from = rest[0] ?? 0;
  const length = (rest[1] as number | undefined) ?? data.length - from;
  return writeAt(fd, data.subarray(from, from + length), rest[2] ?? null);
}

export const access = (path: string) => later(() => accessNow(path));
export const mkdir = (path: string, options?: { recursive?: boolean } | number) =>
  later(() => disk().makeFolder(path, typeof options === "object" && options.recursive === true));
export const readdir = (path: string) => later(() => [...folderAt(path).entries.keys()]);
export const readFile = (path: string, encoding?: Encoding) => later(() => contentOf(fileAt(path), encoding));
export const writeFile = (path: string, data: string | Uint8Array, options?: Encoding) =>
  later(() => writeWhole(path, data, options));
export const rename = (from: string, to: string) => later(() => disk().rename(from, to));
export const link = (from: string, to: string) => later(() => disk().link(from, to));
export const unlink = (path: string) => later(() => disk().remove(path, { recursive: false, force: false }));
export const rmdir = (path: string) => later(() => disk().removeFolder(path));
export const rm = (path: string, options?: { recursive?: boolean; force?: boolean }) =>
  later(() =>
    disk().remove(path, { recursive: options?.recursive === true, force: options?.force === true }),
  );
export const chmod = () => later(() => undefined);
export const statfs = () => later(roomOf);

export const stat = (path: string) =>
  later(() => {
    if (/^(\/usr)?\/bin\/work$/.test(path))
      return { ...NOTHING, isFile: () => true, isDirectory: () => false };
    return statsOf(mustFind(path));
  });

const NOTHING = { ino: 1, size: 0, mtimeMs: 0, mode: 0o755 };
