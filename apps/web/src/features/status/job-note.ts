/** The one thing to know about a job beside its state: why it waits, or how it ended. Pure. */

import type { Job } from "@nexus/shared/api/schemas";
import { commandText } from "@nexus/shared/command-text";
import { explainReason } from "@nexus/shared/scheduler/reason";

export function jobNote(job: Job): string {
  if (job.cancelRequested && job.endedAtMs === null) return "told to end";
  switch (job.state) {
    case "queued":
      return job.reason ? explainReason(job.reason) : "waits to be planned";
    case "failed":
      return [exitText(job), job.message].filter(Boolean).join(": ");
    case "succeeded":
    case "assigned":
    case "starting":
    case "running":
    case "unreachable":
    case "cancelled":
    case "timed_out":
    case "lost":
      return job.message ?? "";
  }
}

function exitText(job: Job): string | null {
  if (job.signal !== null) return `ended by ${job.signal}`;
  return job.exitCode === null ? null : `exit ${job.exitCode}`;
}

/** What people call a job: its name, or its command. */
export function jobTitle(job: Pick<Job, "name" | "command">): string {
  return job.name ?? commandText(job.command);
}
