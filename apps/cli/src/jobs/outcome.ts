import { constants } from "node:os";
import type { Job } from "@nexus/shared/api/schemas";

/** As `timeout(1)` does it. */
const EXIT_TIMED_OUT = 124;
/** The job's command was never run to an end that we know: it could not be started, or its node never came back. */
const EXIT_NOT_RUN = 125;
export const EXIT_CANCELLED = 130;

/** What `nexus run` ends with: the job's own exit code wherever it has one. */
export function exitCodeOf(job: Pick<Job, "state" | "exitCode" | "signal">): number {
  if (job.state === "succeeded") return 0;
  if (job.state === "timed_out") return EXIT_TIMED_OUT;
  if (job.state === "cancelled") return EXIT_CANCELLED;
  if (job.state === "lost") return EXIT_NOT_RUN;
  if (job.signal !== null) return signalExitCode(job.signal);
  return job.exitCode === null || job.exitCode === 0 ? EXIT_NOT_RUN : job.exitCode;
}

/** 128 + n, as shells do it. */
function signalExitCode(signal: string): number {
  const signals: Record<string, number> = constants.signals;
  const number = signals[signal] ?? signals[`SIG${signal}`] ?? Number(signal);
  return Number.isInteger(number) ? 128 + number : EXIT_NOT_RUN;
}

/** How a job ended, for people. */
export function outcomeText(job: Job): string {
  const how =
    job.signal !== null ? `signal ${job.signal}` : job.exitCode !== null ? `exit code ${job.exitCode}` : "";
  return [
    job.state.replace("_", " "),
    how && job.state !== "succeeded" ? `(${how})` : "",
    job.message ? `: ${job.message}` : "",
  ]
    .filter((part) => part !== "")
    .join(" ")
    .replace(" : ", ": ");
}
