/**
 * The file `attempts.journal`: one JSON line per event, and nothing is done before its line is durable.
 *
 * Owns: the open file, and the fold of all that is durable in it. States: open, or broken after a failure that leaves
 * unknown what is on the disk; a broken journal says so once and refuses every further event, and only a new agent,
 * which reads the file again, gets out of it.
 * Invariants: events become durable in the order in which they were given; events given together are durable together or
 * not at all; what arrives while a write is under way shares the next one (one write and one fdatasync for all).
 * Only what is forgotten does not wait for the disk: it becomes durable with the next event that does. An agent that dies
 * loses none of it, and after a power cut the control plane, which has everything of these attempts, says forget again.
 */
import { type FileHandle, open, rename, stat } from "node:fs/promises";
import { dirname } from "node:path";
import type { NexusError } from "@nexus/shared/errors";
import { type AttemptsState, applyEvent, compactEvents, type DurableEvent } from "../core/attempts.ts";
import { refusalOfDisk } from "./disk-refusal.ts";

export type Journal = {
  /** Resolves when the events are durable; rejects with a NexusError when they are not and never will be. */
  append(events: DurableEvent[]): Promise<void>;
  close(): Promise<void>;
};

/** Some 30,000 jobs. Reading it at the next start takes about 0.2 s. */
const JOURNAL_BYTES_MAX = 8 * 1024 * 1024;

type Waiting = { events: DurableEvent[]; bytes: Buffer; done: PromiseWithResolvers<void> };

export type JournalOptions = {
  bytesMax?: number | undefined;
  /** It is broken, once: a new agent is needed. */
  onBroken?: ((problem: NexusError) => void) | undefined;
};

/** @param durable what `readJournal` found; the journal is written anew from it, and keeps it up to date from here on. */
export async function openJournal(
  path: string,
  durable: AttemptsState,
  options: JournalOptions = {},
): Promise<Journal> {
  const { bytesMax = JOURNAL_BYTES_MAX, onBroken } = options;
  let { file, size } = await rewrite(path, durable);
  let compactAtBytes = Math.max(bytesMax, size * 2);
  let broken: NexusError | null = null;
  let waiting: Waiting[] = [];
  let writing: Promise<void> | null = null;

  async function writeAll(): Promise<void> {
    while (waiting.length > 0) {
      const batch = waiting;
      waiting = [];
      const failure =
        broken ??
        (await write(
          Buffer.concat(batch.map(({ bytes }) => bytes)),
          batch.some(({ events }) => events.some(mustBeDurable)),
        ));
      for (const { events, done } of batch) {
        if (failure) done.reject(failure);
        else {
          for (const event of events) applyEvent(durable, event);
          done.resolve();
        }
      }
      if (size > compactAtBytes) await compact();
    }
    // In the same turn as the look at `waiting`: what comes later must start a writer of its own.
    writing = null;
  }

  /** What a failed write or sync left on the disk is not known, and the kernel reports it but once. */
  function breakDown(problem: NexusError): NexusError {
    if (broken === null) onBroken?.(problem);
    broken ??= problem;
    return broken;
  }

  async function write(bytes: Buffer, mustSync: boolean): Promise<Error | null> {
    try {
      await writeAt(file, bytes, size);
    } catch (error) {
      const refusal = refusalOfDisk(error, `The journal ${path} cannot be written`);
      await cutBack(refusal);
      return refusal;
    }
    try {
      if (mustSync) await file.datasync();
    } catch (error) {
      // The kernel may have dropped the pages: a second try would report success for lost lines.
      return breakDown(refusalOfDisk(error, `The journal ${path} cannot be made durable`));
    }
    size += bytes.length;
    return null;
  }

  /** Whole lines of a refused batch must not come back to life at the next start. */
  async function cutBack(refusal: NexusError): Promise<void> {
    try {
      await file.truncate(size);
    } catch {
      breakDown(refusal);
    }
  }

  async function compact(): Promise<void> {
    try {
      const old = file;
      ({ file, size } = await rewrite(path, durable));
      await old.close();
    } catch (error) {
      // The long journal is as good as a short one, and is tried again when it has doubled; unless its name is taken.
      if (!(await isAt(path, file))) breakDown(refusalOfDisk(error, `The journal ${path} cannot be renewed`));
    }
    compactAtBytes = Math.max(bytesMax, size * 2);
  }

  return {
    append(events) {
      if (events.length === 0) return Promise.resolve();
      if (broken !== null) return Promise.reject(broken);
      const done = Promise.withResolvers<void>();
      waiting.push({ events, bytes: encode(events), done });
      writing ??= writeAll();
      return done.promise;
    },
    async close() {
      await writing;
      // A broken file may not even close.
      await file.close().catch((error: unknown) => {
        if (broken === null) throw error;
      });
    },
  };
}

async function rewrite(path: string, durable: AttemptsState): Promise<{ file: FileHandle; size: number }> {
  const fresh = `${path}.new`;
  let file: FileHandle | null = null;
  try {
    file = await open(fresh, "w", 0o600);
    const bytes = encode(compactEvents(durable));
    await writeAt(file, bytes, 0);
    await file.sync();
    await rename(fresh, path);
    await syncFolder(dirname(path));
    return { file, size: bytes.length };
  } catch (error) {
    await file?.close();
    throw refusalOfDisk(error, `The journal ${path} cannot be written`);
  }
}

async function writeAt(file: FileHandle, bytes: Buffer, position: number): Promise<void> {
  let written = 0;
  while (written < bytes.length) {
    written += (await file.write(bytes, written, bytes.length - written, position + written)).bytesWritten;
  }
}

async function isAt(path: string, file: FileHandle): Promise<boolean> {
  const [named, held] = await Promise.allSettled([stat(path), file.stat()]);
  return named.status === "fulfilled" && held.status === "fulfilled" && named.value.ino === held.value.ino;
}

function mustBeDurable({ type }: DurableEvent): boolean {
  return type !== "forgotten";
}

function encode(events: DurableEvent[]): Buffer {
  return Buffer.from(events.map((event) => `${JSON.stringify(event)}\n`).join(""));
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
