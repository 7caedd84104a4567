import type { OpenLog } from "../services/services.ts";
import type { ApiParts } from "./context.ts";

export type LogPlace = { offset?: number | undefined; tail?: number | undefined; since?: number | undefined };
export type LogPlaceParts = Pick<ApiParts, "logOffsetAt" | "clock">;

/** The byte at which a reader wants to begin: so many lines before the end, at what came in the last so many ms, or at an offset. */
export async function placeInLog(
  log: OpenLog | null,
  place: LogPlace,
  parts: LogPlaceParts & { signal?: AbortSignal },
): Promise<number> {
  const { tail, since, offset = 0 } = place;
  if (tail === undefined && since === undefined) return offset;
  if (log === null) return 0;
  if (tail !== undefined) return await log.tailOffset(tail, parts.signal);
  return Math.min(log.size, await parts.logOffsetAt(log.attempt, parts.clock.nowMs() - (since ?? 0)));
}
