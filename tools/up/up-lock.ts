/**
 * Owns: the right to be the one `npm run up` of a data home, as a lock that the kernel keeps on `run/up.lock` and drops
 * when this process ends in any way: nothing stale is left to judge. `run/up.lock.json` says who holds it, for people.
 * Refuses: a second holder, with the name of the first.
 */
import { accessSync, constants, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { NexusError } from "@nexus/shared/errors";

export type UpLock = { release(): void };

const SQLITE_BUSY = 5;

/** @param wayIn what to say beside to who comes second. */
export async function takeUpLock(runDir: string, wayIn: () => Promise<string>): Promise<UpLock> {
  const path = join(runDir, "up.lock");
  const namePath = `${path}.json`;
  try {
    mkdirSync(runDir, { recursive: true, mode: 0o700 });
    createPrivately(path);
    accessSync(path, constants.R_OK | constants.W_OK);
  } catch (cause) {
    throw unusable(dirname(runDir), cause);
  }
  // SQLite is only the portable way to the kernel's file lock: nothing is ever written to the file.
  const handle = new DatabaseSync(path);
  try {
    handle.exec("PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE");
  } catch (cause) {
    handle.close();
    if (!(cause instanceof Error && "errcode" in cause && cause.errcode === SQLITE_BUSY)) throw cause;
    const detail = `Nexus is up already: ${whoHolds(namePath)}.\n${await wayIn()}`.trimEnd();
    throw new NexusError("conflict", { detail, cause });
  }
  writeFileSync(namePath, JSON.stringify({ pid: process.pid, since: new Date().toISOString() }), {
    mode: 0o600,
  });
  return {
    release() {
      rmSync(namePath, { force: true });
      handle.close();
    },
  };
}

/** Another user's, on a disk that is full or read-only, or no folder at all: the system says which. */
function unusable(home: string, cause: unknown): NexusError {
  const isFull = cause instanceof Error && "code" in cause && cause.code === "ENOSPC";
  const why = cause instanceof Error ? cause.message : String(cause);
  const detail = `The folder of Nexus, NEXUS_HOME=${home}, cannot be used: ${why}. Choose a folder of yours.`;
  if (!isFull) return new NexusError("bad_request", { detail, cause });
  return new NexusError("disk_full", { detail: `The disk of ${home} is full; free space there.`, cause });
}

/** A lock file that others can open is one that others can hold. */
function createPrivately(path: string): void {
  try {
    writeFileSync(path, "", { flag: "wx", mode: 0o600 });
  } catch (cause) {
    if (!(cause instanceof Error && "code" in cause && cause.code === "EEXIST")) throw cause;
  }
}

function whoHolds(namePath: string): string {
  try {
    const { pid, since } = JSON.parse(readFileSync(namePath, "utf8")) as { pid: number; since: string };
    return `process ${pid} holds this home since ${since}`;
  } catch {
    return "another process holds this home since a moment ago";
  }
}
