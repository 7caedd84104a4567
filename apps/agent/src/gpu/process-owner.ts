/**
 * Whose process is it: the attempt whose marker it or an ancestor carries, else the user and the command's name.
 *
 * Owns a cache by (pid, start time), so that a pid that is used again is looked at again. Reads are asynchronous and each
 * process's environment is read once: the kernel makes the reader wait while the owner is stuck inside a GPU driver, and
 * that must cost one thread of the pool at most, never the event loop.
 * Only the command's name leaves the node, never its arguments: these hold other people's paths and tokens.
 */
import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import type { UserNames } from "./user-names.ts";

const ATTEMPT_MARKER = "NEXUS_ATTEMPT_ID";

export type ProcessOwner = { user: string | null; command: string | null; attempt: string | null };

export type ProcessOwners = {
  /** @param pids pid → the driver's own word for the command, for processes that cannot be seen from here */
  of(pids: ReadonlyMap<number, string | null>): Promise<Map<number, ProcessOwner>>;
};

export type ProcessOwnersOptions = { procRoot: string; userNames: UserNames };

/** Deeper ancestries are cut: a fork bomb is not worth the reads. */
const ANCESTORS_MAX = 64;

export function createProcessOwners(options: ProcessOwnersOptions): ProcessOwners {
  let cache = new Map<string, Promise<ProcessOwner>>();

  async function ownerOf(stat: ProcStat, named: string | null): Promise<ProcessOwner> {
    const [uid, attempt] = await Promise.all([
      uidOf(options.procRoot, stat.pid),
      attemptOf(options.procRoot, stat),
    ]);
    return {
      user: uid === null ? null : await options.userNames.nameOf(uid),
      command: named === null ? stat.name : basename(named),
      attempt,
    };
  }

  return {
    async of(pids) {
      const owners = new Map<number, ProcessOwner>();
      const used = new Map<string, Promise<ProcessOwner>>();
      await Promise.all(
        [...pids].map(async ([pid, named]) => {
          const stat = await readStat(options.procRoot, pid);
          if (stat === null) {
            owners.set(pid, { user: null, command: named === null ? null : basename(named), attempt: null });
            return;
          }
          const key = `${pid} ${stat.startTicks}`;
          const owner = cache.get(key) ?? ownerOf(stat, named);
          used.set(key, owner);
          owners.set(pid, await owner);
        }),
      );
      cache = used;
      return owners;
    },
  };
}

async function attemptOf(procRoot: string, stat: ProcStat): Promise<string | null> {
  let current: ProcStat | null = stat;
  for (let depth = 0; current !== null && current.pid > 1 && depth < ANCESTORS_MAX; depth++) {
    const environ = await readFile(`${procRoot}/${current.pid}/environ`, "utf8").catch(() => "");
    const attempt = markerIn(environ);
    if (attempt !== null) return attempt;
    current = await readStat(procRoot, current.parentPid);
  }
  return null;
}

/** @param environ `NAME=value` pairs, each ended by a zero byte. A value that is no attempt's id is somebody else's variable. */
export function markerIn(environ: string): string | null {
  const pair = environ.split("\0").find((entry) => entry.startsWith(`${ATTEMPT_MARKER}=`));
  const value = pair?.slice(ATTEMPT_MARKER.length + 1) ?? "";
  return /^[a-z]{1,3}_[0-9a-z]{1,32}$/.test(value) ? value : null;
}

type ProcStat = { pid: number; name: string; parentPid: number; startTicks: string };

/** `pid (name) state ppid …`, where the name may hold spaces and parentheses; field 22 is the start time. */
export function parseStat(text: string): ProcStat | null {
  const open = text.indexOf("(");
  const close = text.lastIndexOf(")");
  if (open < 0 || close < open) return null;
  const after = text.slice(close + 2).split(" ");
  const startTicks = after[19];
  if (startTicks === undefined) return null;
  return {
    pid: Number(text.slice(0, open)),
    name: text.slice(open + 1, close),
    parentPid: Number(after[1]),
    startTicks,
  };
}

async function readStat(procRoot: string, pid: number): Promise<ProcStat | null> {
  const text = await readFile(`${procRoot}/${pid}/stat`, "utf8").catch(() => "");
  return parseStat(text);
}

/** The real user id: the owner of /proc/<pid> reads as root for a process that may not be dumped. */
async function uidOf(procRoot: string, pid: number): Promise<number | null> {
  const status = await readFile(`${procRoot}/${pid}/status`, "utf8").catch(() => "");
  const uid = /^Uid:\s+(\d+)/m.exec(status)?.[1];
  return uid === undefined ? null : Number(uid);
}
