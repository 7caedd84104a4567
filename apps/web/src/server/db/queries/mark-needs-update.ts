import { and, eq, isNull, ne, sql } from "drizzle-orm";
import type { Database } from "../database.ts";
import { target } from "../schema/target.ts";

/** The node proved who it is, but speaks no version that we speak. False when that was known. */
export async function markNeedsUpdate(db: Database, targetId: number): Promise<boolean> {
  const rows = await db
    .update(target)
    .set({ state: "needs_update", stateSince: sql`now()` })
    .where(and(eq(target.id, targetId), isNull(target.revokedAt), ne(target.state, "needs_update")))
    .returning({ id: target.id });
  return rows.length > 0;
}
