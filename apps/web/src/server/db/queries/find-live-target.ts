import { and, eq, isNull } from "drizzle-orm";
import type { Database } from "../database.ts";
import { target } from "../schema/target.ts";

/** A target that is still in the fleet, whichever team's it is. */
export async function findLiveTarget(db: Database, publicId: string) {
  const rows = await db
    .select({ id: target.id, teamId: target.teamId })
    .from(target)
    .where(and(eq(target.publicId, publicId), isNull(target.revokedAt)));
  return rows[0] ?? null;
}
