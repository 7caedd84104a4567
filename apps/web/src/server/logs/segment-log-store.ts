/**
 * The log store in files: every attempt's bytes in append-only segments under one folder, which belongs to one process. Owns the
 * open files, which are bounded. It refuses ids that are not of an attempt.
 */
import { resolve } from "node:path";
import { assert } from "@nexus/shared/assert";
import type { LogStore } from "../services/ports.ts";
import { openAttemptLog } from "./attempt-log.ts";
import { createAttemptLogs } from "./attempt-logs.ts";
import { createOpenFiles } from "./open-files.ts";
import { attemptFolders } from "./segment-path.ts";

export type SegmentLogStoreOptions = {
  /** Made when the first byte comes. */
  root: string;
  segmentBytes?: number | undefined;
  openFilesMax?: number | undefined;
  /** Damage that was found or repaired, in a sentence for the operator. Nothing is thrown for it. */
  onProblem?: ((message: string, cause?: unknown) => void) | undefined;
};

/**
 * Few files a log, and little to send again when one cannot be made durable. Measured with log-store.bench.ts (two cores shared with
 * other work, 8 attempts at once, 256 KiB an append): 2,144 MB/s, 0.69 of a bare write loop; the goal is 200 MB/s.
 */
const SEGMENT_BYTES = 64 * 1024 * 1024;
/** A quarter of the 1,024 descriptors that a process has by default on most systems; the rest are for sockets. */
export const OPEN_FILES_MAX = 256;
/** A sync holds one of libuv's four threads for as long as the disk likes; half of them stay free for reads and appends. */
const SYNCS_AT_ONCE = 2;

export function createSegmentLogStore(options: SegmentLogStoreOptions): LogStore {
  const { segmentBytes = SEGMENT_BYTES, openFilesMax = OPEN_FILES_MAX, onProblem } = options;
  const root = resolve(options.root);
  assert(Number.isInteger(segmentBytes) && segmentBytes > 0, "a segment must hold something");
  const files = createOpenFiles(openFilesMax);
  const durable = new Set<string>();
  const { use: _, ...store } = createAttemptLogs({
    open: async (attempt) =>
      await openAttemptLog({
        ...{ files, segmentBytes, durable },
        folders: attemptFolders(root, attempt),
        onProblem: onProblem ?? (() => undefined),
      }),
    syncsAtOnce: SYNCS_AT_ONCE,
    onClose: () => files.close(),
  });
  return { ...store, isFar: false, problem: () => null };
}
