import type { Job } from "@nexus/shared/api/schemas";
import { commandText } from "@nexus/shared/command-text";
import { durationText } from "@nexus/shared/duration-text";
import { isFinal, type JobState } from "@nexus/shared/machines/job";
import { explainReason } from "@nexus/shared/scheduler/reason";
import type { Ink } from "../terminal/paint.ts";
import type { Cell } from "../terminal/table.ts";

/** Shape and colour, never colour alone. */
const LOOK: Record<JobState, { icon: string; ink: Ink }> = {
  queued: { icon: "○", ink: "dim" },
  assigned: { icon: "◔", ink: "cyan" },
  starting: { icon: "◑", ink: "cyan" },
  running: { icon: "●", ink: "blue" },
  unreachable: { icon: "◌", ink: "yellow" },
  succeeded: { icon: "✓", ink: "green" },
  failed: { icon: "✗", ink: "red" },
  cancelled: { icon: "⊘", ink: "yellow" },
  timed_out: { icon: "⧖", ink: "red" },
  lost: { icon: "!", ink: "red" },
};

export function stateCell({ state }: Pick<Job, "state">): Cell {
  const { icon, ink } = LOOK[state];
  return { text: `${icon} ${state.replace("_", " ")}`, ink };
}

export function titleText(job: Job): string {
  return job.name === null ? commandText(job.command) : job.name;
}

export function whyText(job: Job): string {
  if (job.reason !== null && job.state === "queued") return explainReason(job.reason);
  return job.message ?? "";
}

/** How long it ran, runs or waits. */
export function timeText(job: Job, nowMs: number): string {
  const sinceMs = job.startedAtMs ?? job.createdAtMs;
  return durationText((isFinal(job.state) ? (job.endedAtMs ?? nowMs) : nowMs) - sinceMs);
}
