/**
 * The folder of one attempt: `job.sh` (what runs, with its secrets: only this user may read it), `record` (what became of
 * it, see core/attempt-record.ts) and `log` (what it wrote). Everything is small and local, so it is read synchronously.
 */
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { rm, rmdir, unlink } from "node:fs/promises";
import { join } from "node:path";
import { type AttemptRecord, lostLine, NO_RECORD, parseRecord, VOID_LINE } from "../core/attempt-record.ts";

export type AttemptFolder = {
  path: string;
  log: string;
  record: string;
};

export function attemptFolder(attemptsFolder: string, attempt: string): AttemptFolder {
  const path = join(attemptsFolder, attempt);
  return { path, log: join(path, "log"), record: join(path, "record") };
}

/** Leaves nothing behind when it fails. Debris of a start that was never recorded gives way. */
export function makeAttemptFolder(folder: AttemptFolder, script: string): void {
  try {
    makeFolder(folder.path);
    writeFileSync(join(folder.path, "job.sh"), script, { mode: 0o600 });
  } catch (error) {
    removeAttemptFolder(folder);
    throw error;
  }
}

export function removeAttemptFolder(folder: AttemptFolder): void {
  rmSync(folder.path, { recursive: true, force: true });
}

export function removeLog(folder: AttemptFolder): void {
  rmSync(folder.log, { force: true });
}

/** As above, for many: freeing blocks may wait for the disk, so it is not done on the event loop. */
export async function dropAttemptFolder(folder: AttemptFolder): Promise<void> {
  try {
    await Promise.all([unlink(join(folder.path, "job.sh")), unlink(folder.record), unlink(folder.log)]);
    await rmdir(folder.path);
  } catch {
    // It held less, or more, than it does as a rule.
    await rm(folder.path, { recursive: true, force: true });
  }
}

export function readRecord(folder: AttemptFolder): AttemptRecord {
  try {
    return parseRecord(readFileSync(folder.record, "latin1"));
  } catch (error) {
    if (hasCode(error, "ENOENT")) return NO_RECORD;
    throw error;
  }
}

/** True when the attempt is now void; false when a supervisor was first, or the disk refuses a new file. */
export function voidRecord(folder: AttemptFolder): boolean {
  let fd: number;
  try {
    fd = openSync(folder.record, "wx", 0o600);
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
export function writeLost(folder: AttemptFolder, uptimeMs: number | null): void {
  try {
    const fd = openSync(folder.record, "a", 0o600);
    try {
      writeSync(fd, lostLine(uptimeMs));
    } finally {
      closeSync(fd);
    }
  } catch {
    // See above.
  }
}

export function existsFolder(folder: AttemptFolder): boolean {
  return existsSync(folder.path);
}

/** 0 while there is none. */
export function logBytes(folder: AttemptFolder): number {
  return statSync(folder.log, { throwIfNoEntry: false })?.size ?? 0;
}

/** Wall clock; only for what ended before this agent started. */
export function recordChangedAtMs(folder: AttemptFolder): number | null {
  return statSync(folder.record, { throwIfNoEntry: false })?.mtimeMs ?? null;
}

function makeFolder(path: string): void {
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    if (!hasCode(error, "EEXIST")) throw error;
    rmSync(path, { recursive: true });
    mkdirSync(path, { mode: 0o700 });
  }
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}
