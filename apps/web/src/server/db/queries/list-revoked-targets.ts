import { and, inArray, isNotNull } from "drizzle-orm";
import type { Database } from "../database.ts";
import { target } from "../schema/target.ts";

/** Those of `ids` that were revoked. */
export async function listRevokedTargets(db: Database, ids: number[]): Promise<number[]> {
  if (ids.length === 0) return [];
  const rows = await db
    .select({ id: target.id })
    .from(target)
    .where(and(inArray(target.id, ids), isNotNull(target.revokedAt)));
  return rows.map((row) => row.id);
}
