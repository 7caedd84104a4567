import type { ServiceContext } from "../service-context.ts";
import type { LiveAttempt, LiveJob } from "./live-jobs.ts";

/** @returns false when no socket took it; the sweep then asks again. */
export function askToEnd(
  { hub }: ServiceContext,
  attempt: LiveAttempt,
  cancel: NonNullable<LiveJob["cancel"]>,
): boolean {
  const { id, fence, targetId } = attempt;
  const { graceMs } = cancel;
  cancel.isAsked = hub.send(targetId, { type: "stop", attempt: id, fence, reason: "cancelled", graceMs });
  return cancel.isAsked;
}
