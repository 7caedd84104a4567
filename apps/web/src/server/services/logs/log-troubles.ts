/** Why a job's log is not all that it wrote, or does not grow: what its row, its node and the store say. */
import type { LogTrouble } from "@nexus/shared/api/schemas";
import { explainReason } from "@nexus/shared/scheduler/reason";
import type { LiveJob } from "../scheduling/live-jobs.ts";

export type LogFacts = {
  live: LiveJob | undefined;
  logGapAt: number | null;
  /** When retention took it. */
  logRemovedAtMs: number | null;
  target: string;
  /** Why the store takes no more of it now. */
  trouble: LogTrouble | null;
};

export function logTroublesOf({ live, logGapAt, logRemovedAtMs, target, trouble }: LogFacts): LogTrouble[] {
  const troubles: LogTrouble[] = [];
  if (logRemovedAtMs !== null) {
    const message = `its log was removed on ${dayOf(logRemovedAtMs)}: the team keeps logs for a time, and up to a size`;
    return [{ code: "removed", message, offset: null }];
  }
  if (logGapAt !== null) {
    troubles.push({ code: "node_disk_full", message: gapText(target, logGapAt), offset: logGapAt });
  }
  if (trouble) troubles.push(trouble);
  if (live?.state === "queued" && live.reason.code === "held") {
    troubles.push({ code: "held", message: `it waits: ${explainReason(live.reason)}`, offset: null });
  }
  return troubles;
}

function dayOf(atMs: number): string {
  return new Date(atMs).toISOString().slice(0, 10);
}

export function gapText(target: string, offset: number): string {
  return `the disk of ${target} was full while it ran: output may be missing from byte ${offset} on`;
}
