/**
 * Owns: the right to use one data home, as an exclusive lock that the kernel keeps on `path` and drops when the process
 * ends in any way. So there is no stale lock to judge, no race in taking one over, and a second container on the same
 * volume is seen too. Beside it `path.json` tells people who holds it; it is information and decides nothing.
 * States: free → held → free. Refuses: a second holder, also within this process.
 */
import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as delay } from "node:timers/promises";
import { NexusError } from "@nexus/shared/errors";
import { isAlive } from "./is-alive.ts";

export type OwnerLock = { readonly holder: LockHolder; release(): void };
export type LockHolder = { pid: number; sinceMs: number; what: string };

const SQLITE_BUSY = 5;
/** The holder writes its name right after it got the lock; a loser that comes between the two waits for it this long. */
const HOLDER_NAME_WAIT_MS = 1_000;

export async function takeOwnerLock(path: string, what: string): Promise<OwnerLock> {
  const handle = tryLock(path);
  if (!handle) throw new NexusError("conflict", { detail: heldText(path, await readHolder(path)) });
  const holder: LockHolder = { pid: process.pid, sinceMs: Date.now(), what };
  const namePath = `${path}.json`;
  writeFileSync(`${namePath}.new`, JSON.stringify(holder), { mode: 0o600 });
  renameSync(`${namePath}.new`, namePath);
  let held = true;
  return {
    holder,
    release() {
      if (!held) return;
      held = false;
      rmSync(namePath, { force: true });
      handle.close();
    },
  };
}

/** SQLite is only the portable way to the kernel's file lock: nothing is ever written to the file. */
function tryLock(path: string): DatabaseSync | null {
  createPrivately(path);
  const handle = new DatabaseSync(path);
  try {
    handle.exec("PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE");
    return handle;
  } catch (cause) {
    handle.close();
    if (isBusy(cause)) return null;
    throw new Error(`${path} cannot be locked; NEXUS_HOME must be on a file system that keeps locks`, {
      cause,
    });
  }
}

/**
 * A lock file that others can open is one that others can hold. Made only when missing: opening and closing it again
 * would drop a lock that this process has on it, as the kernel counts by process.
 */
function createPrivately(path: string): void {
  try {
    writeFileSync(path, "", { flag: "wx", mode: 0o600 });
  } catch (cause) {
    if (!(cause instanceof Error && "code" in cause && cause.code === "EEXIST")) throw cause;
  }
}

function isBusy(cause: unknown): boolean {
  return cause instanceof Error && "errcode" in cause && cause.errcode === SQLITE_BUSY;
}

async function readHolder(path: string): Promise<LockHolder | null> {
  const giveUpAtMs = Date.now() + HOLDER_NAME_WAIT_MS;
  for (;;) {
    const holder = parseHolder(path);
    if (holder && isAlive(holder.pid)) return holder;
    if (Date.now() > giveUpAtMs) return holder;
    await delay(20);
  }
}

function parseHolder(path: string): LockHolder | null {
  try {
    const value: unknown = JSON.parse(readFileSync(`${path}.json`, "utf8"));
    if (typeof value !== "object" || value === null) return null;
    const { pid, sinceMs, what } = value as Partial<LockHolder>;
    if (typeof pid !== "number" || typeof sinceMs !== "number" || typeof what !== "string") return null;
    return { pid, sinceMs, what };
  } catch {
    return null;
  }
}

function heldText(path: string, holder: LockHolder | null): string {
  if (!holder) return `${path} is held by another process.`;
  const since = new Date(holder.sinceMs).toISOString();
  return `This data home is in use by ${holder.what}, process ${holder.pid}, since ${since}. Stop it first, or choose another NEXUS_HOME.`;
}
