import type { AttemptExit } from "@nexus/shared/protocol/messages";
import type { LiveAttempt } from "../scheduling/live-jobs.ts";

/**
 * A node that lost the end of a log after it had told its size (its power was cut) can never send it. The size that it tells now
 * is then all there is to wait for; whatever of the log is stored already stays.
 */
export function shortenLog(attempt: LiveAttempt | null, { fence, logBytes }: AttemptExit): void {
  if (attempt === null || attempt.ended === null || attempt.fence !== fence) return;
  if (logBytes < attempt.ended.logBytes) attempt.ended = { logBytes };
}
