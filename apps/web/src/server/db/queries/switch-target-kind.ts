import { and, eq, isNull, sql } from "drizzle-orm";
import type { Database } from "../database.ts";
import { attempt, job } from "../schema/job.ts";
import { nodeKey, target } from "../schema/target.ts";

/**
 * Another kind for the same target. In a transaction: the row is locked against placements, whose attempts refer to it, so that
 * none commits between the look and the switch; and what was offered to an agent that is just connecting is worth nothing.
 * @returns jobs with an open attempt there, which prevent it; none when it was switched.
 */
export async function switchTargetKind(
  tx: Database,
  targetId: number,
  kind: "agent" | "ssh",
): Promise<string[]> {
  await tx.select({ id: target.id }).from(target).where(eq(target.id, targetId)).for("update");
  const open = await tx
    .select({ job: job.publicId })
    .from(attempt)
    .innerJoin(job, eq(job.id, attempt.jobId))
    .where(and(eq(attempt.targetId, targetId), isNull(attempt.closedAt)));
  if (open.length > 0) return open.map((row) => row.job);
  await tx
    .update(target)
    .set({ kind })
    .where(and(eq(target.id, targetId), isNull(target.revokedAt)));
  await tx
    .update(nodeKey)
    .set({ generationOffered: sql`${nodeKey.generationOffered} + 1` })
    .where(eq(nodeKey.targetId, targetId));
  return [];
}
