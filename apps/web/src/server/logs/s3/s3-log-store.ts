/**
 * The log store in an S3-compatible bucket: logs grow in files here, and move into the bucket piece by piece.
 *
 * Owns: the open files, what waits to be sent, and how many bytes lie in files. States of an attempt's files: growing; waiting to be
 * sent, after a piece of `pieceBytes` is full, at a sync, or from an earlier start; sent and removed. Invariants: what is synced
 * is in the bucket; `UPLOADS_AT_ONCE` and `SYNCS_AT_ONCE` bound the pieces in memory; files never hold more than `localBytesMax`. While the bucket
 * is away logs grow until then, and it says so. It refuses what would be more, with `disk_full`.
 */
import { readdir, stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { NexusError } from "@nexus/shared/errors";
import { isId } from "@nexus/shared/ids";
import type { LogStore } from "../../services/ports.ts";
import { openAttemptLog } from "../attempt-log.ts";
import { createAttemptLogs } from "../attempt-logs.ts";
import { createOpenFiles } from "../open-files.ts";
import { OPEN_FILES_MAX } from "../segment-log-store.ts";
import { attemptFolders } from "../segment-path.ts";
import { type ArchivedLog, isAway, openArchivedLog } from "./archived-log.ts";
import { checkBucket } from "./check-bucket.ts";
import { guardObjects } from "./guarded-objects.ts";
import { ObjectStoreError } from "./object-store.ts";
import { createS3Objects, type S3Settings } from "./s3-objects.ts";

export type S3LogStoreOptions = S3Settings & {
  /** Of the files; may be that of a segment store, whose logs then move into the bucket. */
  root: string;
  localBytesMax: number;
  /** Names the object that is written to see whether one may. */
  token: string;
  nowMs: () => number;
  onProblem: (message: string, cause?: unknown) => void;
  pieceBytes?: number | undefined;
  openFilesMax?: number | undefined;
  retryMs?: number | undefined;
  timeoutMs?: number | undefined;
  pageMax?: number | undefined;
};

/** In memory while it is sent. A log of 1 GiB is 64 objects. */
const PIECE_BYTES = 16 * 1024 * 1024;
const UPLOADS_AT_ONCE = 2;
/** Of the ends of logs, which are mostly small; each costs two answers of the bucket. */
const SYNCS_AT_ONCE = 8;
const RETRY_MS = 5_000;
const CLOSE_MS_MAX = 3_000;
const MIB = 1024 * 1024;

/** @throws ObjectStoreError when the bucket refuses what logs need. One that cannot be reached is waited for. */
export async function createS3LogStore(options: S3LogStoreOptions): Promise<LogStore> {
  const { localBytesMax, token, nowMs, onProblem, pieceBytes = PIECE_BYTES, retryMs = RETRY_MS } = options;
  const root = resolve(options.root);
  const closing = new AbortController();
  const objects = guardObjects({
    objects: createS3Objects({ ...options, signal: closing.signal }),
    nowMs,
    retryMs,
  });
  await checkBucket(objects, token).catch((error: unknown) => {
    if (!(error instanceof ObjectStoreError) || error.trouble === "refused") throw error;
    onProblem("Logs stay here until the bucket can be reached.", error);
  });
  const files = createOpenFiles(options.openFilesMax ?? OPEN_FILES_MAX);
  const durable = new Set<string>();
  /** Of these the node has everything, and the bucket cannot be asked. */
  const beginning = new Set<string>();
  const waiting = new Map<string, "grown" | "all">();
  const left = await findLeft(root);
  let localBytes = left.bytes;
  /** Of appends under way. */
  let comingBytes = 0;
  for (const attempt of left.attempts) waiting.set(attempt, "all");

  const logs = createAttemptLogs<ArchivedLog>({
    open: async (attempt) => {
      const folders = attemptFolders(root, attempt);
      return await openArchivedLog({
        ...{ attempt, objects, onProblem },
        mayBegin: beginning.delete(attempt),
        openLocal: (startOf) =>
          openAttemptLog({ folders, files, segmentBytes: pieceBytes, durable, startOf, onProblem }),
        onLocalBytes: (change) => {
          localBytes += change;
        },
        onGrown() {
          if (!waiting.has(attempt)) waiting.set(attempt, "grown");
          uploadNext();
        },
      });
    },
    syncsAtOnce: SYNCS_AT_ONCE,
    onClose: () => files.close(),
  });
  const { use, ...store } = logs;

  let uploading = 0;
  let isClosing = false;
  let timer: NodeJS.Timeout | null = null;
  uploadNext();

  function uploadNext(): void {
    while (uploading < UPLOADS_AT_ONCE && timer === null && !isClosing) {
      const [next] = waiting;
      if (next === undefined) return;
      const [attempt, how] = next;
      waiting.delete(attempt);
      uploading += 1;
      void use(attempt, (log) => log.upload(how))
        .catch((error: unknown) => {
          if (isClosing) return;
          if (!waiting.has(attempt) || how === "all") waiting.set(attempt, how);
          if (!isAway(error)) onProblem(`a part of the log of ${attempt} could not be uploaded`, error);
          timer ??= setTimeout(() => {
            timer = null;
            uploadNext();
          }, retryMs).unref();
        })
        .finally(() => {
          uploading -= 1;
          uploadNext();
        });
    }
  }

  async function appendTo(attempt: string, offset: number, bytes: Uint8Array): Promise<number> {
    return await store.append(attempt, offset, bytes).catch(async (error: unknown) => {
      if (offset !== 0 || !isAway(error)) throw error;
      beginning.add(attempt);
      return await store.append(attempt, offset, bytes).finally(() => beginning.delete(attempt));
    });
  }

  return {
    ...store,
    isFar: true,
    async append(attempt, offset, bytes) {
      if (localBytes + comingBytes + bytes.byteLength > localBytesMax) throw noRoom();
      comingBytes += bytes.byteLength;
      try {
        return await appendTo(attempt, offset, bytes);
      } finally {
        comingBytes -= bytes.byteLength;
      }
    },
    problem() {
      const away = objects.away();
      if (away === null) return null;
      const since = new Date(away.sinceMs).toISOString();
      const message = `Logs cannot be moved into ${objects.name} since ${since}: ${away.why} They wait on this machine, ${inMib(localBytes)} of at most ${inMib(localBytesMax)}; what is in the bucket cannot be read.`;
      return { code: "log_bucket_away", message };
    },
    async close() {
      isClosing = true;
      if (timer) clearTimeout(timer);
      // What is under way ends by itself, or goes on after the next start.
      const limit = setTimeout(() => closing.abort(new Error("the control plane ends")), CLOSE_MS_MAX);
      await store.close();
      clearTimeout(limit);
    },
  };

  function noRoom(): NexusError {
    const away = objects.away();
    const why = away?.why ?? "The bucket takes logs more slowly than jobs write them.";
    const detail = `Logs that wait to be moved into ${objects.name} fill the ${inMib(localBytesMax)} that they may have in ${root} (NEXUS_LOG_LOCAL_GIB). ${why}`;
    return new NexusError("disk_full", { detail });
  }
}

function inMib(bytes: number): string {
  return `${Math.ceil(bytes / MIB)} MiB`;
}

/** What an earlier process left in files, or a store without a bucket. */
async function findLeft(root: string): Promise<{ attempts: string[]; bytes: number }> {
  const attempts: string[] = [];
  let bytes = 0;
  for (const letters of await namesIn(root)) {
    for (const attempt of await namesIn(join(root, letters))) {
      if (!isId("attempt", attempt)) continue;
      attempts.push(attempt);
      const folder = join(root, letters, attempt);
      for (const name of await namesIn(folder)) bytes += (await stat(join(folder, name))).size;
    }
  }
  return { attempts, bytes };
}

async function namesIn(folder: string): Promise<string[]> {
  return await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT" || error.code === "ENOTDIR") return [];
    throw error;
  });
}
