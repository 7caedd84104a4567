/**
 * The files of one attempt: `ID.record` (what became of it, see core/attempt-record.ts), `ID.log` (what it wrote) and, where there
 * are any, `ID.masks` (values that nobody else may see of the log: only this user may read it); and the
 * order that it came with, one for attempts that start together (what runs, with their secrets: only this user may read it,
 * and it goes when all of them have begun). A new file is the dearest thing that a short job asks of a disk, 20 to 300 µs, so
 * there is neither a folder nor a script for each. Everything is small and local, so it is read synchronously.
 */
import {
  closeSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { unlink } from "node:fs/promises";
import { join } from "node:path";
import { type AttemptRecord, lostLine, NO_RECORD, parseRecord, VOID_LINE } from "../core/attempt-record.ts";

export type AttemptFiles = {
  log: string;
  record: string;
  masks: string;
  /** Shared with others. */
  order: string;
};

export function attemptFiles(attemptsFolder: string, attempt: string, order: string): AttemptFiles {
  return {
    log: join(attemptsFolder, `${attempt}.log`),
    record: join(attemptsFolder, `${attempt}.record`),
    masks: join(attemptsFolder, `${attempt}.masks`),
    order: join(attemptsFolder, `${order}.sh`),
  };
}

/** Leaves nothing behind when it fails. Debris of starts that were never recorded gives way. */
export function writeOrder({ order }: AttemptFiles, script: string): void {
  try {
    remove(order);
    writeFileSync(order, script, { mode: 0o600, flag: "wx" });
  } catch (error) {
    removeOrder({ order });
    throw error;
  }
}

/** Survives a power cut like the log that it is for. */
export function writeMasks({ masks }: AttemptFiles, values: string[]): void {
  remove(masks);
  writeFileSync(masks, JSON.stringify(values), { mode: 0o600, flag: "wx", flush: true });
}

/**
 * @param isMasked whether there has to be such a file.
 * @throws when they cannot be read: a log whose secrets are not known must not leave the node.
 */
export function readMasks({ masks }: AttemptFiles, isMasked: boolean): string[] {
  try {
    const values: unknown = JSON.parse(readFileSync(masks, "utf8"));
    if (Array.isArray(values) && values.every((value) => typeof value === "string")) return values;
  } catch (error) {
    if (hasCode(error, "ENOENT") && !isMasked) return [];
    throw error;
  }
  throw new Error(`${masks} does not hold what it should`);
}

export function removeMasks({ masks }: AttemptFiles): void {
  remove(masks);
}

export function removeOrder({ order }: Pick<AttemptFiles, "order">): void {
  remove(order);
}

/** What is in the folder and belongs to no attempt, order or record that is known. */
export function removeDebris(
  attemptsFolder: string,
  known: { attempts: { has(attempt: string): boolean }; orders: { has(order: string): boolean } },
): void {
  for (const name of readdirSync(attemptsFolder)) {
    const [, stem = "", kind] = /^(.*)\.(log|record|masks|sh)$/.exec(name) ?? [];
    const isKnown = kind === "sh" ? known.orders.has(stem) : kind !== undefined && known.attempts.has(stem);
    if (!isKnown) rmSync(join(attemptsFolder, name), { recursive: true, force: true });
  }
}

export function removeLog(files: AttemptFiles): void {
  remove(files.log);
}

/** Freeing blocks may wait for the disk, so it is not done on the event loop. */
export async function dropFiles({ log, record, masks }: AttemptFiles): Promise<void> {
  await Promise.all([log, record, masks].map((file) => unlink(file).catch(unlessGone)));
}

/**
 * One call to the kernel. `rmSync`, which looks first, was an eighth of what the agent spent on a job of `true`.
 * A disk that has become read-only says so of names that it does not have; whoever writes there is told by the write.
 */
function remove(file: string): void {
  try {
    unlinkSync(file);
  } catch (error) {
    if (!hasCode(error, "EROFS")) unlessGone(error);
  }
}

function unlessGone(error: unknown): void {
  if (!hasCode(error, "ENOENT")) throw error;
}

export function readRecord(files: AttemptFiles): AttemptRecord {
  try {
    return parseRecord(readFileSync(files.record, "latin1"));
  } catch (error) {
    if (hasCode(error, "ENOENT")) return NO_RECORD;
    throw error;
  }
}

/** True when the attempt is now void; false when a supervisor was first, or the disk refuses a new file. */
export function voidRecord(files: AttemptFiles): boolean {
  let fd: number;
  try {
    fd = openSync(files.record, "wx", 0o600);
  } catch {
    return false;
  }
  try {
    writeSync(fd, VOID_LINE);
  } catch {
    // The disk is full. An empty record keeps supervisors away as well.
  } finally {
    closeSync(fd);
  }
  return true;
}

/** For the end that nobody else will write. On a full disk it stays unwritten, and is found out again after a restart. */
export function writeLost(files: AttemptFiles, uptimeMs: number | null): void {
  try {
    const fd = openSync(files.record, "a", 0o600);
    try {
      writeSync(fd, lostLine(uptimeMs));
    } finally {
      closeSync(fd);
    }
  } catch {
    // See above.
  }
}

export function existsOrder(files: AttemptFiles): boolean {
  return existsSync(files.order);
}

/** 0 while there is none. */
export function logBytes(files: AttemptFiles): number {
  return statSync(files.log, { throwIfNoEntry: false })?.size ?? 0;
}

/** Wall clock; only for what ended before this agent started. */
export function recordChangedAtMs(files: AttemptFiles): number | null {
  return statSync(files.record, { throwIfNoEntry: false })?.mtimeMs ?? null;
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}
