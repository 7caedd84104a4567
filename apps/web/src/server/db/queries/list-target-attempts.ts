import { and, eq, inArray } from "drizzle-orm";
import type { Database } from "../database.ts";
import { attempt } from "../schema/job.ts";

/** Those of `publicIds` that were begun on this target. */
export async function listTargetAttempts(
  db: Database,
  targetId: number,
  publicIds: string[],
): Promise<string[]> {
  if (publicIds.length === 0) return [];
  const rows = await db
    .select({ publicId: attempt.publicId })
    .from(attempt)
    .where(and(eq(attempt.targetId, targetId), inArray(attempt.publicId, publicIds)));
  return rows.map((row) => row.publicId);
}
