/**
 * The file `record` in an attempt's folder: what became of the attempt, written by its supervisor (see launcher-script.ts),
 * and by the agent where no supervisor will. Who creates it decides: it is opened exclusively, so either one supervisor has
 * claimed the attempt or the agent has voided it, and never both.
 *
 *   claim BOOT PID START SESSION UPTIME MORE .  a supervisor starts the job, and has MORE others yet to claim
 *   child PID .                                 the job's first process and process group
 *   exit STATUS UPTIME .                        its end, STATUS as the shell gives it
 *   void .                                      the agent: it never ran and never will
 *   lost UPTIME .                               the agent: it ended, and who could tell how has gone
 *
 * UPTIME is seconds since boot, or `-`. A line without its full stop and newline is not yet written, or never will be: the
 * newline alone would not do, since whoever writes after a torn line begins with one.
 */
export type Claim = {
  bootId: string;
  /** The supervisor's. */
  pid: number;
  /** As the process table of this system gives it; only compared. */
  startTime: string;
  session: number;
  uptimeMs: number | null;
  /** Attempts that the supervisor had yet to claim after this one. Supervisors of before had one each. */
  more: number;
};

export type RecordEnd =
  | { kind: "exit"; status: number; uptimeMs: number | null }
  | { kind: "void" }
  | { kind: "lost"; uptimeMs: number | null };

export type AttemptRecord = {
  exists: boolean;
  claim: Claim | null;
  childPid: number | null;
  end: RecordEnd | null;
};

export const NO_RECORD: AttemptRecord = { exists: false, claim: null, childPid: null, end: null };
export const VOID_LINE = "void .\n";

/** Starts with a newline, since the supervisor may have died within a line. */
export function lostLine(uptimeMs: number | null): string {
  return `\nlost ${uptimeMs === null ? "-" : (uptimeMs / 1000).toFixed(2)} .\n`;
}

export function parseRecord(text: string): AttemptRecord {
  const record: AttemptRecord = { ...NO_RECORD, exists: true };
  const written = text.split("\n").slice(0, -1);
  for (const line of written) {
    const [word, ...values] = line.split(" ");
    if (values.pop() !== ".") continue;
    if (word === "claim") record.claim ??= parseClaim(values);
    else if (word === "child") record.childPid ??= natural(values[0]);
    else record.end ??= parseEnd(word, values);
  }
  return record;
}

export function parseClaim(values: string[]): Claim | null {
  const [bootId, pidText, startTime, sessionText, uptime, moreText = "0"] = values;
  const pid = natural(pidText);
  const session = natural(sessionText);
  const more = natural(moreText);
  if (!bootId || pid === null || !startTime || session === null || more === null) return null;
  return { bootId, pid, startTime, session, uptimeMs: parseUptimeMs(uptime), more };
}

/** @param seconds with hundredths, or `-`. */
export function parseUptimeMs(seconds: string | undefined): number | null {
  if (seconds === undefined || !/^\d+(\.\d+)?$/.test(seconds)) return null;
  return Math.round(Number(seconds) * 1000);
}

function parseEnd(word: string | undefined, [first, second]: string[]): RecordEnd | null {
  if (word === "void") return { kind: "void" };
  if (word === "lost") return { kind: "lost", uptimeMs: parseUptimeMs(first) };
  const status = natural(first);
  if (word !== "exit" || status === null) return null;
  return { kind: "exit", status, uptimeMs: parseUptimeMs(second) };
}

export function natural(text: string | undefined): number | null {
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : null;
}
