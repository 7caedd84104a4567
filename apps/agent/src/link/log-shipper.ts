/**
 * Sends the logs of attempts from their files, by the rule of `core/log-stream.ts`. Owns: the streams, the open files, the
 * watches on them, the memory that is read into, which is used again when its bytes have left: new memory for each chunk cost more
 * in garbage collection than all else together. Invariants: bytes are read only when they may be sent, so memory holds one chunk
 * however much a job writes;
 * every stream gets its turn; a watch that fails or sleeps is made up for by a slow look at the size; no byte of a secret
 * leaves, also where it stands in two pieces.
 */
import { type FSWatcher, watch } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { FRAME_HEADROOM_BYTES } from "@nexus/shared/protocol/frame";
import { maskMargin, maskSecrets, secretsOf } from "../core/log-mask.ts";
import {
  ackLog,
  attachLog,
  detachLog,
  endLog,
  growLog,
  hasUnacked,
  isLogDone,
  type LogStream,
  newLogStream,
  nextChunk,
  resendLog,
  sentChunk,
} from "../core/log-stream.ts";
import { createChunkBuffers } from "./chunk-buffers.ts";
import type { DataFrame } from "./frame-socket.ts";

export type LogShipperOptions = {
  /** There is something to pull. */
  onData(): void;
  /** A log cannot be read. */
  onTrouble(attempt: string, error: unknown): void;
  /** Monotonic. */
  nowMs(): number;
  lookEveryMs?: number;
  resendAfterMs?: number;
};

export type LogFile = {
  attempt: string;
  fence: number;
  path: string;
  /** Values that must not leave in it; asked for once, before anything is sent. */
  masks?: () => string[];
};

export type LogShipper = {
  /** The server stands at `logBytes`: from there on it gets what is in the file and what comes. */
  attach(file: LogFile, logBytes: number): void;
  /** The job wrote its last byte. */
  end(attempt: string, logBytes: number): void;
  ack(attempt: string, answer: { logBytes: number; rewind: boolean; again?: boolean | undefined }): void;
  forget(attempt: string): void;
  /** The connection is gone. */
  detachAll(): void;
  pull(): Promise<DataFrame | null>;
  isDone(attempt: string): boolean;
  close(): Promise<void>;
};

type Tail = {
  stream: LogStream;
  path: string;
  masks: () => string[];
  secrets: Uint8Array[] | null;
  /** The bytes from `sent` up to `size` may be the beginning of a secret: they wait for what comes next. */
  held: { sent: number; size: number } | null;
  file: FileHandle | null;
  watcher: FSWatcher | null;
  isLooking: boolean;
  lookAgain: boolean;
  lookedAtMs: number;
  ackedAtMs: number;
  /** After a read that failed it is left alone until then; each failure in a row doubles the wait. */
  retryAtMs: number;
  failures: number;
};

/** The net under file events: they do not exist on some file systems, and their number is limited. */
const LOOK_EVERY_MS = 1_000;
/** A job that writes line by line is sent in steps of this, not line by line; the first line after a pause leaves at once. */
const LOOK_PAUSE_MS = 15;
/** TCP loses nothing, so silence this long means that the server dropped it; sending again is always safe. */
const RESEND_AFTER_MS = 30_000;

const RETRY_READ_MS_MAX = 30_000;

export function createLogShipper(options: LogShipperOptions): LogShipper {
  const { nowMs, onData, onTrouble } = options;
  const lookEveryMs = options.lookEveryMs ?? LOOK_EVERY_MS;
  const resendAfterMs = options.resendAfterMs ?? RESEND_AFTER_MS;
  /** In the order of their turns. */
  const tails = new Map<string, Tail>();
  const ends = new Map<string, number>();
  const buffers = createChunkBuffers();
  let timer: NodeJS.Timeout | null = null;
  /** Grows with each lost connection: what was read for an earlier one is for nobody. */
  let epoch = 0;

  function lookAtAll(): void {
    for (const tail of tails.values()) {
      if (tail.stream.at === null) continue;
      if (hasUnacked(tail.stream) && nowMs() - tail.ackedAtMs > resendAfterMs) {
        tail.stream = resendLog(tail.stream);
        tail.ackedAtMs = nowMs();
        onData();
      }
      if (tail.stream.endsAt === null) look(tail);
    }
  }

  function look(tail: Tail): void {
    if (tail.isLooking) {
      tail.lookAgain = true;
      return;
    }
    tail.isLooking = true;
    const pauseMs = tail.lookedAtMs + LOOK_PAUSE_MS - nowMs();
    if (pauseMs <= 0) void lookNow(tail);
    else setTimeout(() => void lookNow(tail), pauseMs);
  }

  async function lookNow(tail: Tail): Promise<void> {
    tail.lookAgain = false;
    tail.lookedAtMs = nowMs();
    try {
      const { size } = await (await fileOf(tail)).stat();
      if (size !== tail.stream.size && tail.stream.endsAt === null) {
        tail.stream = growLog(tail.stream, size);
        if (nextChunk(tail.stream) !== null) onData();
      }
    } catch (error) {
      // Looked at again by the slow look; told once, until it was read again.
      if (!isMissing(error) && tail.failures++ === 0) onTrouble(tail.stream.attempt, error);
    }
    tail.isLooking = false;
    if (tails.get(tail.stream.attempt) !== tail) return void release(tail);
    if (tail.lookAgain) look(tail);
  }

  async function fileOf(tail: Tail): Promise<FileHandle> {
    if (tail.file !== null) return tail.file;
    const file = await open(tail.path, "r");
    // While it was being opened another look may have opened it too.
    if (tail.file !== null) await file.close();
    else tail.file = file;
    return tail.file;
  }

  function startWatch(tail: Tail): void {
    if (tail.watcher !== null || tail.stream.endsAt !== null) return;
    try {
      tail.watcher = watch(tail.path, { persistent: false }, () => look(tail));
      tail.watcher.on("error", () => stopWatch(tail));
    } catch {
      // Out of watches, or the file is not there yet: the slow look finds it.
      tail.watcher = null;
    }
  }

  function stopWatch(tail: Tail): void {
    tail.watcher?.close();
    tail.watcher = null;
  }

  async function release(tail: Tail): Promise<void> {
    stopWatch(tail);
    await closeFile(tail);
  }

  async function closeFile(tail: Tail): Promise<void> {
    const { file } = tail;
    tail.file = null;
    await file?.close().catch(() => undefined);
  }

  function remove(attempt: string): void {
    const tail = tails.get(attempt);
    tails.delete(attempt);
    if (tail !== undefined && !tail.isLooking) void release(tail);
  }

  function settle(tail: Tail): void {
    if (isLogDone(tail.stream)) void release(tail);
  }

  const shipper: LogShipper = {
    attach({ attempt, fence, path, masks = () => [] }, logBytes) {
      const tail = tails.get(attempt) ?? {
        stream: newLogStream(attempt, fence),
        path,
        masks,
        secrets: null,
        held: null,
        file: null,
        watcher: null,
        isLooking: false,
        lookAgain: false,
        lookedAtMs: Number.NEGATIVE_INFINITY,
        ackedAtMs: nowMs(),
        retryAtMs: 0,
        failures: 0,
      };
      tails.set(attempt, tail);
      tail.stream = attachLog(tail.stream, logBytes);
      tail.retryAtMs = 0;
      tail.ackedAtMs = nowMs();
      const end = ends.get(attempt);
      if (end !== undefined) tail.stream = endLog(tail.stream, end);
      startWatch(tail);
      if (tail.stream.endsAt === null) look(tail);
      // A look tells only of growth: what was seen before this connection is to be sent in it all the same.
      if (tail.stream.endsAt !== null || nextChunk(tail.stream) !== null) onData();
      settle(tail);
      timer ??= setInterval(lookAtAll, lookEveryMs).unref();
    },
    end(attempt, logBytes) {
      ends.set(attempt, logBytes);
      const tail = tails.get(attempt);
      if (tail === undefined) return;
      tail.stream = endLog(tail.stream, logBytes);
      stopWatch(tail);
      settle(tail);
      onData();
    },
    ack(attempt, answer) {
      const tail = tails.get(attempt);
      if (tail === undefined) return;
      const before = tail.stream;
      tail.stream = ackLog(before, answer);
      // An answer that changes nothing is as good as none: a job that writes on would otherwise put off the resend for ever.
      if (tail.stream !== before) tail.ackedAtMs = nowMs();
      settle(tail);
      if (nextChunk(tail.stream) !== null) onData();
    },
    forget(attempt) {
      ends.delete(attempt);
      remove(attempt);
    },
    detachAll() {
      if (timer !== null) clearInterval(timer);
      timer = null;
      epoch += 1;
      for (const tail of tails.values()) {
        tail.stream = detachLog(tail.stream);
        if (!tail.isLooking) void release(tail);
      }
    },
    async pull() {
      const started = epoch;
      for (;;) {
        const tail = nextTurn();
        const chunk = tail === null ? null : nextChunk(tail.stream);
        if (tail === null || chunk === null) return null;
        const read = await readChunk(tail, chunk);
        // Its file was opened after whoever let go of it had looked.
        const isLeft = tails.get(tail.stream.attempt) !== tail || tail.stream.at === null;
        if (isLeft && !tail.isLooking) void release(tail);
        // An answer of the server may have moved it meanwhile: then these are not the next bytes any more.
        const isNext = epoch === started && tail.stream.at?.sent === chunk.offset;
        if (read === null || !isNext || read.payload.length === 0) {
          read?.release();
          if (epoch !== started) return null;
          if (read !== null && isNext) tail.held = { sent: chunk.offset, size: tail.stream.size };
          continue;
        }
        tail.stream = sentChunk(tail.stream, read.payload.length);
        const { attempt, fence } = tail.stream;
        const message = { type: "log" as const, attempt, fence, offset: chunk.offset };
        return { message, headroom: FRAME_HEADROOM_BYTES, ...read };
      }
    },
    isDone(attempt) {
      const tail = tails.get(attempt);
      return tail !== undefined && isLogDone(tail.stream);
    },
    async close() {
      shipper.detachAll();
      await Promise.all([...tails.values()].map(release));
      tails.clear();
    },
  };

  function nextTurn(): Tail | null {
    for (const [attempt, tail] of tails) {
      if (nextChunk(tail.stream) === null || isHeld(tail) || tail.retryAtMs > nowMs()) continue;
      tails.delete(attempt);
      tails.set(attempt, tail);
      return tail;
    }
    return null;
  }

  /** Null when the file does not hold what it held before: then there is no more than what was read. */
  async function readChunk(
    tail: Tail,
    chunk: { offset: number; length: number },
  ): Promise<{ payload: Uint8Array; release: () => void } | null> {
    let buffer: Buffer | null = null;
    const release = () => {
      if (buffer !== null) buffers.give(buffer);
      buffer = null;
    };
    try {
      const file = await fileOf(tail);
      tail.secrets ??= secretsOf(tail.masks());
      const margin = maskMargin(tail.secrets);
      const from = Math.max(0, chunk.offset - margin);
      const wanted = chunk.offset - from + chunk.length + margin;
      buffer = buffers.take(FRAME_HEADROOM_BYTES + wanted);
      const { bytesRead } = await file.read(buffer, FRAME_HEADROOM_BYTES, wanted, from);
      const bytes = buffer.subarray(FRAME_HEADROOM_BYTES, FRAME_HEADROOM_BYTES + bytesRead);
      const piece = {
        from: chunk.offset - from,
        to: Math.min(bytesRead, chunk.offset - from + chunk.length),
      };
      if (piece.to > piece.from) {
        tail.failures = 0;
        if (margin === 0) return { payload: bytes, release };
        const { endsAt } = tail.stream;
        const isEnd = endsAt !== null && from + bytesRead >= endsAt;
        return { payload: maskSecrets({ bytes, ...piece, isEnd }, tail.secrets), release };
      }
      tail.stream = growLog(tail.stream, chunk.offset);
      onTrouble(tail.stream.attempt, new Error("the log file is shorter than it was"));
    } catch (error) {
      failed(tail, error);
    }
    release();
    return null;
  }

  /** Such errors pass: too many open files, a network disk that is away. The others go on meanwhile. */
  function failed(tail: Tail, error: unknown): void {
    if (tail.failures === 0) onTrouble(tail.stream.attempt, error);
    const waitMs = Math.min(lookEveryMs * 2 ** tail.failures, RETRY_READ_MS_MAX);
    tail.failures += 1;
    tail.retryAtMs = nowMs() + waitMs;
    setTimeout(onData, waitMs + 1).unref();
    if (!tail.isLooking) void closeFile(tail);
  }

  return shipper;
}

function isHeld({ held, stream }: Tail): boolean {
  return held !== null && stream.endsAt === null && stream.at?.sent === held.sent && stream.size <= held.size;
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}
