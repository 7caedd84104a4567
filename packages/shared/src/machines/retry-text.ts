import type { Job } from "../api/schemas.ts";
import { durationText } from "../duration-text.ts";

/** What a job's rule does, and how often it did; null without one. */
export function retryText({ retry }: Pick<Job, "retry">): string | null {
  if (retry === null) return null;
  const { attempts, lostAfterMs, used } = retry;
  const often = attempts === 1 ? "once" : `up to ${attempts} times`;
  const sofar = used === 0 ? "" : ` (${used} so far)`;
  return `again, ${often}, when its node is silent for ${durationText(lostAfterMs)}${sofar}`;
}
