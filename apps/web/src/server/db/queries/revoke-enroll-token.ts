import { and, eq, sql } from "drizzle-orm";
import type { Database } from "../database.ts";
import { enrollToken } from "../schema/target.ts";

/** Keeps the time of the first revocation. False when the team has no such token. */
export async function revokeEnrollToken(db: Database, teamId: string, publicId: string): Promise<boolean> {
  const rows = await db
    .update(enrollToken)
    .set({ revokedAt: sql`coalesce(${enrollToken.revokedAt}, now())` })
    .where(and(eq(enrollToken.teamId, teamId), eq(enrollToken.publicId, publicId)))
    .returning({ id: enrollToken.id });
  return rows.length > 0;
}
