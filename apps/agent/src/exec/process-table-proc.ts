import { closeSync, openSync, readdirSync, readlinkSync, readSync } from "node:fs";
import { parseUptimeMs } from "../core/attempt-record.ts";
import { ATTEMPT_MARKER } from "./job-environment.ts";
import type { ProcessRow, ProcessTable } from "./process-row.ts";

/**
 * Reads are synchronous: a pass over 300 processes takes about 5 ms this way and several times that through the thread
 * pool, and a pass must be one moment as nearly as possible.
 */
export function procTable(): ProcessTable {
  // Linux gives environments of up to 6 MiB; nearly all fit in the first size.
  let buffer = Buffer.allocUnsafe(64 * 1024);

  function read(path: string): Buffer | null {
    let fd: number | null = null;
    try {
      fd = openSync(path, "r");
      let length = 0;
      for (;;) {
        const count = readSync(fd, buffer, length, buffer.length - length, null);
        if (count === 0) return buffer.subarray(0, length);
        length += count;
        if (length === buffer.length) buffer = Buffer.concat([buffer], buffer.length * 2);
      }
    } catch {
      // It ended meanwhile, or belongs to another user.
      return null;
    } finally {
      if (fd !== null) closeSync(fd);
    }
  }

  function stat(pid: number): ProcStat | null {
    const text = read(`/proc/${pid}/stat`);
    return text === null ? null : parseProcStat(text.toString("latin1"));
  }

  function pids(): number[] {
    return readdirSync("/proc").flatMap((name) => (/^[1-9]\d*$/.test(name) ? [Number(name)] : []));
  }

  return {
    kind: "proc",
    startTimeOf: (pid) => stat(pid)?.startTime ?? null,
    scan(since) {
      const sinceTicks = since === null ? 0 : Number(since);
      const rows: ProcessRow[] = [];
      for (const pid of pids()) {
        const found = stat(pid);
        if (found === null || found.isKernel) continue;
        const { startTime, parent, group, session } = found;
        const young = Number(startTime) >= sinceTicks;
        const attempt = young ? attemptOf(read(`/proc/${pid}/environ`)) : null;
        const outputs = young && attempt === null ? outputsOf(pid) : [];
        rows.push({ pid, startTime, parent, group, session, attempt, outputs });
      }
      return rows;
    },
    commandOf: (pid) => read(`/proc/${pid}/cmdline`)?.toString("utf8").replaceAll("\0", " ").trim() ?? "",
    running(prefix) {
      return pids().flatMap((pid) => {
        const words = read(`/proc/${pid}/cmdline`)?.toString("utf8").split("\0") ?? [];
        const found = words.some((word) => word.startsWith(prefix)) ? stat(pid) : null;
        return found === null ? [] : [{ pid, session: found.session, words }];
      });
    },
    uptimeMs: () => parseUptimeMs(read("/proc/uptime")?.toString("latin1").split(" ")[0]),
  };
}

type ProcStat = { startTime: string; parent: number; group: number; session: number; isKernel: boolean };

const KTHREADD = 2;

/** Null for a zombie. The second field is the program's name in parentheses and may itself hold any character. */
function parseProcStat(text: string): ProcStat | null {
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const [state, ppid, group, session] = fields;
  const startTime = fields[19];
  if (state === undefined || startTime === undefined || "ZXx".includes(state)) return null;
  const isKernel = Number(ppid) === KTHREADD;
  return { startTime, parent: Number(ppid), group: Number(group), session: Number(session), isKernel };
}

/** A file that was removed is still named, with a remark. */
function outputsOf(pid: number): string[] {
  return [1, 2].flatMap((fd) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${fd}`).replace(/ \(deleted\)$/, "");
    } catch {
      // It is closed, or it belongs to another user.
      return [];
    }
  });
}

const MARKER = Buffer.from(`${ATTEMPT_MARKER}=`);

function attemptOf(environ: Buffer | null): string | null {
  if (environ === null) return null;
  let at = environ.indexOf(MARKER);
  while (at > 0 && environ[at - 1] !== 0) at = environ.indexOf(MARKER, at + 1);
  if (at < 0) return null;
  const from = at + MARKER.length;
  const to = environ.indexOf(0, from);
  return environ.toString("latin1", from, to < 0 ? environ.length : to);
}
