/** Why a job's log is not all that it wrote, or does not grow: what its row, its node and the store say. */
import type { LogTrouble } from "@nexus/shared/api/schemas";
import { explainReason } from "@nexus/shared/scheduler/reason";
import type { LiveJob } from "../scheduling/live-jobs.ts";

export type LogFacts = {
  live: LiveJob | undefined;
  logGapAt: number | null;
  target: string;
  /** Why the store takes no more of it now. */
  trouble: LogTrouble | null;
};

export function logTroublesOf({ live, logGapAt, target, trouble }: LogFacts): LogTrouble[] {
  const troubles: LogTrouble[] = [];
  if (logGapAt !== null) {
    troubles.push({ code: "node_disk_full", message: gapText(target, logGapAt), offset: logGapAt });
  }
  if (trouble) troubles.push(trouble);
  if (live?.state === "queued" && live.reason.code === "held") {
    troubles.push({ code: "held", message: `it waits: ${explainReason(live.reason)}`, offset: null });
  }
  return troubles;
}

export function gapText(target: string, offset: number): string {
  return `the disk of ${target} was full while it ran: output may be missing from byte ${offset} on`;
}
