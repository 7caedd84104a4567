import { and, eq, isNull } from "drizzle-orm";
import type { Database } from "../database.ts";
import { target } from "../schema/target.ts";

/** @returns false when it was revoked before. */
export async function revokeTarget(db: Database, id: number, at: Date): Promise<boolean> {
  const rows = await db
    .update(target)
    .set({ revokedAt: at, state: "revoked", stateSince: at })
    .where(and(eq(target.id, id), isNull(target.revokedAt)))
    .returning({ id: target.id });
  return rows.length > 0;
}
