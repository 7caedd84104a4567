import { eq, sql } from "drizzle-orm";
import type { Database } from "../database.ts";
import { enrollToken } from "../schema/target.ts";

/** By public id, in any state; whether it has expired is told by the database's clock. */
export async function findEnrollToken(db: Database, publicId: string) {
  const rows = await db
    .select({
      id: enrollToken.id,
      publicId: enrollToken.publicId,
      teamId: enrollToken.teamId,
      publicKey: enrollToken.publicKey,
      uses: enrollToken.uses,
      usesMax: enrollToken.usesMax,
      expiresAt: enrollToken.expiresAt,
      revokedAt: enrollToken.revokedAt,
      expired: sql<boolean>`${enrollToken.expiresAt} <= now()`,
    })
    .from(enrollToken)
    .where(eq(enrollToken.publicId, publicId));
  return rows[0] ?? null;
}
