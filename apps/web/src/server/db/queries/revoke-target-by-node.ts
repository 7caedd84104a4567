import { and, eq, isNull, sql } from "drizzle-orm";
import type { Database } from "../database.ts";
import { target } from "../schema/target.ts";

/** A node that left by itself. Null when it was revoked before. */
export async function revokeTargetByNode(db: Database, targetId: number) {
  const rows = await db
    .update(target)
    .set({ revokedAt: sql`now()`, state: "revoked", stateSince: sql`now()` })
    .where(and(eq(target.id, targetId), isNull(target.revokedAt)))
    .returning({ publicId: target.publicId, teamId: target.teamId });
  return rows[0] ?? null;
}
