import { type Claim, natural, parseClaim, parseUptimeMs } from "../core/attempt-record.ts";

/** What supervisors say while their agent listens. Each line is one write, so lines of different supervisors do not mix. */
export type Notice =
  | { kind: "started"; attempt: string; claim: Claim; childPid: number }
  /** `alone`: nothing is left in the job's process group. */
  | { kind: "exited"; attempt: string; status: number; uptimeMs: number | null; alone: boolean }
  /** It could not create the record or the log: somebody else has claimed it, or the disk refuses. */
  | { kind: "unclaimed"; attempt: string }
  /** It created the record and could not write into it; the job was not started. */
  | { kind: "unrecorded"; attempt: string };

export function parseNotice(line: string, bootId: string): Notice | null {
  const [kind, attempt, ...values] = line.split(" ");
  if (!attempt) return null;
  if (kind === "unclaimed" || kind === "unrecorded") return { kind, attempt };
  if (kind === "exited") {
    const status = natural(values[0]);
    if (status === null) return null;
    return { kind, attempt, status, uptimeMs: parseUptimeMs(values[1]), alone: values[2] === "alone" };
  }
  const claim = kind === "started" ? parseClaim([bootId, ...values.slice(0, 5)]) : null;
  const childPid = natural(values[5]);
  return claim && childPid !== null ? { kind: "started", attempt, claim, childPid } : null;
}
