/**
 * The log of one attempt in segment files.
 *
 * Owns: the chain of segments, the lane of writers, and what is not yet synced. Invariants: bytes are written only at the end
 * and never changed; the end moves only after the bytes are in the file, so a reader never sees half an append; an append is
 * in one segment whole or not at all; a file that may hold more than the log says is cut back before it is written to again,
 * and files behind a hole are removed before the log can grow into them. The first files may go once their bytes lie elsewhere; the
 * log then begins where they ended. Appends, removal, release and cutting run one after the other; reads and syncs run beside
 * them. It refuses bytes for which there is no room.
 */

import { mkdir, readdir, rm, rmdir, stat, unlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { createLane } from "../core/lane.ts";
import { diskProblem, errorCode } from "./disk-problem.ts";
import type { OpenFiles } from "./open-files.ts";
import { chainSegments, endOf, type Segment, type SegmentFile, type Span, spansOf } from "./segment-chain.ts";
import { type AttemptFolders, segmentName, segmentOffset } from "./segment-path.ts";

export type AttemptLog = {
  size(): number;
  append(offset: number, bytes: Uint8Array): Promise<number>;
  read(offset: number, limit: number): Promise<Uint8Array>;
  sync(): Promise<void>;
  remove(): Promise<void>;
};

/** An attempt's log whose beginning may lie elsewhere. */
export type LocalLog = AttemptLog & {
  /** The first byte that the files hold, or would hold. */
  start(): number;
  /** The files, in order; only the last one still grows. */
  pieces(): Piece[];
  /** Removes files of which every byte lies before `end`. @returns how many bytes went. */
  release(end: number): Promise<number>;
};

/** The bytes of a log from `offset` up to `end`. */
export type Piece = { offset: number; end: number };

export type AttemptLogOptions = {
  folders: AttemptFolders;
  files: OpenFiles;
  segmentBytes: number;
  /** Folders whose own names survive a power cut; all logs of a store share it. */
  durable: Set<string>;
  /** Where the log of these files begins, when the first of them begins at `first`. Unless told otherwise, at byte 0. */
  startOf?: (first: number | null) => number;
  /** What was repaired or could not be, in a sentence. */
  onProblem: (message: string, cause?: unknown) => void;
};

const FOLDER_MODE = 0o700;

/** Learns from the files what of the log is there. */
export async function openAttemptLog(options: AttemptLogOptions): Promise<LocalLog> {
  const { folders, files, segmentBytes, durable, onProblem } = options;
  const found = await listSegmentFiles(folders.attempt);
  /** Where the log ends while there are no segments. */
  let base =
    options.startOf?.(found.length === 0 ? null : Math.min(...found.map(({ offset }) => offset))) ?? 0;
  let { segments, stale } = chainSegments(found, base);
  if (stale.length > 0) {
    onProblem(
      `The log in ${folders.attempt} has a hole at byte ${end()}; it ends there until its node sends the rest again.`,
    );
  }
  /** Folders in which something was made that a power cut could undo. */
  const unsynced = new Set(
    segments.length > 0 ? [folders.attempt, folders.letters, folders.root, dirname(folders.root)] : [],
  );
  const { run: inLane } = createLane();
  /** One at a time: whoever comes second must not return before the first is through. */
  const { run: inSyncLane } = createLane();

  function end(): number {
    return endOf(segments, base);
  }

  function pathOf(segmentStart: number): string {
    return join(folders.attempt, segmentName(segmentStart));
  }

  async function append(offset: number, bytes: Uint8Array): Promise<number> {
    if (offset !== end() || bytes.byteLength === 0) return end();
    try {
      await tidy();
      const segment = segments.at(-1);
      const isRoomy = segment && (segment.size === 0 || segment.size + bytes.byteLength <= segmentBytes);
      if (isRoomy) await files.use(writing(segment), (file) => write(segment, bytes, file));
      else await appendSegment(bytes);
    } catch (cause) {
      throw diskProblem(cause, folders.root);
    }
    return end();
  }

  async function appendSegment(bytes: Uint8Array): Promise<void> {
    if (segments.length === 0) {
      await makeFolder(folders.attempt);
      // Another log may have made them and not yet synced what holds them.
      for (const folder of [folders.letters, folders.root])
        if (!durable.has(folder)) unsynced.add(dirname(folder));
    }
    const segment: Segment = { offset: end(), size: 0, syncedSize: 0, isTorn: false };
    await files.use({ path: pathOf(segment.offset), how: "create" }, async (file) => {
      segments.push(segment);
      unsynced.add(folders.attempt);
      await write(segment, bytes, file);
    });
  }

  /** Not by `recursive`, which says of a read-only disk that a folder is missing. */
  async function makeFolder(folder: string): Promise<void> {
    const makeHere = () => mkdir(folder, FOLDER_MODE);
    try {
      await makeHere().catch(async (error: unknown) => {
        unlessMissing(error);
        await makeFolder(dirname(folder));
        await makeHere();
      });
    } catch (error) {
      if (errorCode(error) !== "EEXIST") throw error;
    }
    unsynced.add(dirname(folder));
  }

  async function write(segment: Segment, bytes: Uint8Array, file: WritableFile): Promise<void> {
    let written = 0;
    try {
      while (written < bytes.byteLength) {
        const left = bytes.byteLength - written;
        const { bytesWritten } = await file.write(bytes, written, left, segment.size + written);
        written += bytesWritten;
      }
    } catch (cause) {
      segment.isTorn = true;
      await cutBack(segment, file).catch((error: unknown) => {
        onProblem(`${pathOf(segment.offset)} could not be cut back to ${segment.size} bytes yet.`, error);
      });
      throw cause;
    }
    segment.size += written;
  }

  /** Makes the files agree with the chain, before anything is written. */
  async function tidy(): Promise<void> {
    if (stale.length > 0) {
      // The last one first: whatever is left after a crash is still behind the hole.
      for (const offset of stale.toReversed()) {
        await files.forget(pathOf(offset));
        await unlink(pathOf(offset)).catch(unlessMissing);
      }
      await syncFolder(folders.attempt);
      stale = [];
    }
    const torn = segments.at(-1);
    if (torn?.isTorn) await files.use(writing(torn), (file) => cutBack(torn, file));
  }

  async function read(offset: number, limit: number): Promise<Uint8Array> {
    const stop = Math.min(end(), offset + limit);
    if (offset >= stop) return new Uint8Array(0);
    if (offset < start()) throw new Error(`byte ${offset} does not lie in ${folders.attempt} any more`);
    const bytes = new Uint8Array(stop - offset);
    let filled = 0;
    try {
      for (const span of spansOf(segments, offset, stop)) {
        const path = pathOf(span.segment.offset);
        await files.use({ path, how: "read" }, (file) => readSpan(file, bytes, { span, path, filled }));
        filled += span.length;
      }
    } catch (error) {
      // Removed or cut while it was read: what is there now is the answer.
      if (end() < stop) return await read(offset, limit);
      throw error;
    }
    return bytes;
  }

  async function sync(): Promise<void> {
    const isThere = segments.length > 0;
    for (const segment of [...segments]) {
      const { size } = segment;
      if (segment.syncedSize >= size) continue;
      try {
        await files.use(writing(segment), (file) => file.datasync());
      } catch (cause) {
        if (!segments.includes(segment)) return;
        await inLane(() => distrust(segment));
        throw diskProblem(cause, folders.root);
      }
      segment.syncedSize = Math.max(segment.syncedSize, size);
    }
    for (const folder of [...unsynced]) {
      unsynced.delete(folder);
      try {
        await syncFolder(folder);
      } catch (cause) {
        if (segments.length === 0) return;
        unsynced.add(folder);
        throw diskProblem(cause, folders.root);
      }
    }
    if (isThere) durable.add(folders.letters).add(folders.root);
  }

  /**
   * The kernel says once that it could not write, and then forgets the bytes. So the log ends where it was last known to be
   * safe, and the node, which keeps its file until all is durable here, sends the rest again.
   */
  async function distrust(segment: Segment): Promise<void> {
    const index = segments.indexOf(segment);
    if (index < 0) return;
    stale = [...segments.slice(index + 1).map((later) => later.offset), ...stale];
    segments = segments.slice(0, index + 1);
    segment.size = segment.syncedSize;
    segment.isTorn = true;
    onProblem(`${pathOf(segment.offset)} could not be made durable; its log ends at ${end()} again.`);
    await tidy().catch((error: unknown) => onProblem(`${folders.attempt} could not be tidied yet.`, error));
  }

  async function remove(): Promise<void> {
    const paths = [...segments.map((segment) => segment.offset), ...stale].map(pathOf);
    segments = [];
    base = 0;
    unsynced.clear();
    try {
      for (const path of [...paths, folders.attempt]) await files.forget(path);
      await rm(folders.attempt, { recursive: true, force: true });
      stale = [];
    } catch (cause) {
      ({ segments, stale } = chainSegments(await listSegmentFiles(folders.attempt), base));
      throw diskProblem(cause, folders.root);
    }
  }

  async function release(upTo: number): Promise<number> {
    let freed = 0;
    for (;;) {
      const [first] = segments;
      if (first === undefined || first.offset + first.size > upTo) break;
      segments = segments.slice(1);
      base = first.offset + first.size;
      freed += first.size;
      await files.forget(pathOf(first.offset));
      await unlink(pathOf(first.offset)).catch(unlessMissing);
    }
    if (segments.length > 0) return freed;
    base = Math.max(base, upTo);
    await files.forget(folders.attempt);
    // Not while something else lies in it.
    await rmdir(folders.attempt).catch(() => undefined);
    return freed;
  }

  async function syncFolder(folder: string): Promise<void> {
    await files.use({ path: folder, how: "read" }, (file) => file.sync());
  }

  function start(): number {
    return segments[0]?.offset ?? base;
  }

  function writing(segment: Segment) {
    return { path: pathOf(segment.offset), how: "write" } as const;
  }

  return {
    size: end,
    start,
    pieces: () => segments.map(({ offset, size }) => ({ offset, end: offset + size })),
    release: (upTo) => inLane(() => release(upTo)),
    append: (offset, bytes) => inLane(() => append(offset, bytes)),
    read,
    sync: () => inSyncLane(sync),
    remove: () => inLane(remove),
  };
}

type WritableFile = {
  write(bytes: Uint8Array, from: number, length: number, position: number): Promise<{ bytesWritten: number }>;
  truncate(length: number): Promise<void>;
};

type ReadableFile = {
  read(bytes: Uint8Array, from: number, length: number, position: number): Promise<{ bytesRead: number }>;
};

async function cutBack(segment: Segment, file: WritableFile): Promise<void> {
  await file.truncate(segment.size);
  segment.isTorn = false;
}

async function readSpan(
  file: ReadableFile,
  bytes: Uint8Array,
  { span, path, filled }: { span: Span; path: string; filled: number },
): Promise<void> {
  let done = 0;
  while (done < span.length) {
    const from = span.position + done;
    const { bytesRead } = await file.read(bytes, filled + done, span.length - done, from);
    if (bytesRead === 0) throw new Error(`${path} was cut to ${from} bytes by something else than Nexus`);
    done += bytesRead;
  }
}

async function listSegmentFiles(folder: string): Promise<SegmentFile[]> {
  let names: string[];
  try {
    names = await readdir(folder);
  } catch (error) {
    unlessMissing(error);
    return [];
  }
  const files: SegmentFile[] = [];
  for (const name of names) {
    const offset = segmentOffset(name);
    if (offset !== null) files.push({ offset, size: (await stat(join(folder, name))).size });
  }
  return files;
}

function unlessMissing(error: unknown): void {
  if (errorCode(error) !== "ENOENT") throw error;
}
