import * as z from "zod";
import { type LogTrouble, logTroubleSchema } from "./schemas.ts";

/** The header `x-log-troubles` of the raw log route. */
export function encodeLogTroubles(troubles: readonly LogTrouble[]): string {
  return encodeURIComponent(JSON.stringify(troubles));
}

/** Nothing of a header that is missing or of a later release. */
export function decodeLogTroubles(header: string | null): LogTrouble[] {
  if (header === null) return [];
  try {
    const parsed = z.array(logTroubleSchema).safeParse(JSON.parse(decodeURIComponent(header)));
    return parsed.success ? parsed.data : [];
  } catch {
    return [];
  }
}
