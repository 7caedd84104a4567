/**
 * Log bytes in append-only segment files under one folder; the first home of the `LogStore` contract.
 *
 * Owns: the folder, the sizes in memory and the open files. Layout: `<last two characters>/<attempt>.<n>`, every segment but
 * the last exactly `SEGMENT_BYTES` long; an attempt without a byte has no file. Invariants: a byte is written only at the
 * present size, so what is stored has no gap and no doubled byte; appends of one attempt run one after the other; sizes are
 * those of the files, so nothing else need survive a crash. A write that was torn leaves a prefix of what was to be
 * written, which is right as far as it goes: the sender is told the size and goes on from there. It refuses a full disk
 * with `disk_full`, and names that are no attempt's.
 */
import { type FileHandle, mkdir, open, stat, unlink } from "node:fs/promises";
import { join } from "node:path";
import { NexusError } from "@nexus/shared/errors";
import { isId } from "@nexus/shared/ids";
import type { LogStore } from "../services/ports.ts";
import { createFileCache } from "./file-cache.ts";
import { findTail } from "./find-tail.ts";

export type LogStoreOptions = { folder: string; segmentBytes?: number; openFilesMax?: number };

const SEGMENT_BYTES = 64 * 1024 * 1024;
const OPEN_FILES_MAX = 256;
/** Sizes that are remembered; beyond, those asked for longest ago are read from the files again. */
const SIZES_MAX = 10_000;
const FULL_CODES = new Set(["ENOSPC", "EDQUOT", "EFBIG"]);

type Entry = {
  size: number;
  /** The end of the line of appends. */
  last: Promise<unknown>;
  /** Segments with bytes that a power cut would lose, and whether a file is new in its folder. */
  dirty: Set<number>;
  isNewFile: boolean;
};

export function createLogStore(options: LogStoreOptions): LogStore {
  const { folder, segmentBytes = SEGMENT_BYTES, openFilesMax = OPEN_FILES_MAX } = options;
  const entries = new Map<string, Promise<Entry>>();
  const files = createFileCache(openFilesMax);

  const store: LogStore = {
    async size(attempt) {
      return (await entryOf(attempt)).size;
    },
    async append(attempt, offset, bytes) {
      const entry = await entryOf(attempt);
      const done = entry.last.then(async () => {
        if (offset !== entry.size || bytes.length === 0) return;
        await write(attempt, entry, bytes);
      });
      entry.last = done.catch(() => undefined);
      await done;
      return entry.size;
    },
    async read(attempt, offset, limit) {
      const { size } = await entryOf(attempt);
      const length = Math.max(0, Math.min(limit, size - offset));
      const bytes = new Uint8Array(length);
      let at = 0;
      while (at < length) {
        const { segment, position } = placeOf(offset + at);
        const want = Math.min(length - at, segmentBytes - position);
        const { bytesRead } = await files.use(pathOf(attempt, segment), (file) =>
          file.read(bytes, at, want, position),
        );
        if (bytesRead === 0) return bytes.subarray(0, at);
        at += bytesRead;
      }
      return bytes;
    },
    async tailOffset(attempt, lines) {
      return await findTail({
        size: await store.size(attempt),
        lines,
        read: (offset, limit) => store.read(attempt, offset, limit),
      });
    },
    async sync(attempt) {
      const entry = await entryOf(attempt);
      await entry.last;
      const dirty = [...entry.dirty];
      const { isNewFile } = entry;
      entry.dirty.clear();
      entry.isNewFile = false;
      try {
        for (const segment of dirty) await files.use(pathOf(attempt, segment), (file) => file.datasync());
        if (isNewFile) await syncFolder(shardOf(attempt));
      } catch (error) {
        for (const segment of dirty) entry.dirty.add(segment);
        entry.isNewFile ||= isNewFile;
        throw error;
      }
    },
    async remove(attempt) {
      const entry = await entryOf(attempt);
      await entry.last;
      for (let segment = 0; segment * segmentBytes <= entry.size; segment += 1) {
        await files.forget(pathOf(attempt, segment));
        await unlink(pathOf(attempt, segment)).catch(ignoreMissing);
      }
      entries.delete(attempt);
    },
    async close() {
      for (const entry of await Promise.all(entries.values())) await entry.last;
      await files.close();
    },
  };
  return store;

  function entryOf(attempt: string): Promise<Entry> {
    const known = entries.get(attempt);
    if (known) {
      // Moved to the end: the first of the map is the one asked for longest ago.
      entries.delete(attempt);
      entries.set(attempt, known);
      return known;
    }
    if (!isId("attempt", attempt))
      throw new NexusError("bad_request", { detail: `${attempt} is no attempt.` });
    const entry = measure(attempt).then((size) => ({
      size,
      last: Promise.resolve(),
      dirty: new Set<number>(),
      isNewFile: false,
    }));
    entries.set(attempt, entry);
    entry.catch(() => entries.delete(attempt));
    if (entries.size > SIZES_MAX) void forgetOldest();
    return entry;
  }

  async function forgetOldest(): Promise<void> {
    for (const [attempt, promise] of entries) {
      const entry = await promise.catch(() => null);
      if (entries.size <= SIZES_MAX) return;
      // One with bytes that are not synced keeps its place: it would not know what to sync.
      if (!entry || entry.dirty.size === 0) entries.delete(attempt);
    }
  }

  async function write(attempt: string, entry: Entry, bytes: Uint8Array): Promise<void> {
    let at = 0;
    while (at < bytes.length) {
      const { segment, position } = placeOf(entry.size);
      if (position === 0) await createSegment(attempt, segment, entry);
      const want = Math.min(bytes.length - at, segmentBytes - position);
      try {
        const { bytesWritten } = await files.use(pathOf(attempt, segment), (file) =>
          file.write(bytes, at, want, position),
        );
        entry.dirty.add(segment);
        entry.size += bytesWritten;
        at += bytesWritten;
      } catch (error) {
        throw refusalOf(error);
      }
    }
  }

  async function createSegment(attempt: string, segment: number, entry: Entry): Promise<void> {
    try {
      await mkdir(shardOf(attempt), { recursive: true, mode: 0o700 });
      const file = await open(pathOf(attempt, segment), "w", 0o600);
      await file.close();
      entry.isNewFile = true;
    } catch (error) {
      throw refusalOf(error);
    }
  }

  /** The size is that of the unbroken run of segments: what a crash left beyond a short one is overwritten. */
  async function measure(attempt: string): Promise<number> {
    let size = 0;
    for (let segment = 0; ; segment += 1) {
      const found = await stat(pathOf(attempt, segment)).catch(ignoreMissing);
      if (!found) return size;
      size += Math.min(found.size, segmentBytes);
      if (found.size < segmentBytes) return size;
    }
  }

  function placeOf(offset: number): { segment: number; position: number } {
    return { segment: Math.floor(offset / segmentBytes), position: offset % segmentBytes };
  }

  function shardOf(attempt: string): string {
    return join(folder, attempt.slice(-2));
  }

  function pathOf(attempt: string, segment: number): string {
    return join(shardOf(attempt), `${attempt}.${segment}`);
  }
}

async function syncFolder(path: string): Promise<void> {
  const handle: FileHandle = await open(path, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function refusalOf(error: unknown): unknown {
  const code = (error as NodeJS.ErrnoException).code ?? "";
  if (!FULL_CODES.has(code)) return error;
  return new NexusError("disk_full", {
    detail: "the disk of the control plane's log folder is full.",
    cause: error,
  });
}

function ignoreMissing(error: NodeJS.ErrnoException): null {
  if (error.code === "ENOENT") return null;
  throw error;
}
