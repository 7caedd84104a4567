import type { EndedAttempt } from "../../db/queries/end-attempts.ts";
import type { LiveAttempt } from "../scheduling/live-jobs.ts";

/** An end that the control plane decides, of an attempt of which nothing more is expected from its node. */
export function endedByUs(
  attempt: LiveAttempt,
  to: Pick<EndedAttempt, "state" | "event" | "endReason" | "message" | "endedAtMs"> & Partial<EndedAttempt>,
): EndedAttempt {
  return {
    attemptId: attempt.rowId,
    attempt: attempt.id,
    job: attempt.job,
    actor: "control plane",
    exitCode: null,
    signal: null,
    logBytes: null,
    startedAtMs: null,
    pid: null,
    isClosed: true,
    note: null,
    ...to,
  };
}
