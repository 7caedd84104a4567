import { and, eq, gt, isNull, lt, sql } from "drizzle-orm";
import type { Database } from "../database.ts";
import { enrollToken } from "../schema/target.ts";

/** Takes one use of a live token. The only place where `uses` grows, so that no race gives one use to two nodes. */
export async function consumeEnrollToken(db: Database, id: number) {
  const rows = await db
    .update(enrollToken)
    .set({ uses: sql`${enrollToken.uses} + 1` })
    .where(
      and(
        eq(enrollToken.id, id),
        lt(enrollToken.uses, enrollToken.usesMax),
        gt(enrollToken.expiresAt, sql`now()`),
        isNull(enrollToken.revokedAt),
      ),
    )
    .returning({
      teamId: enrollToken.teamId,
      name: enrollToken.name,
      labels: enrollToken.labels,
      targetId: enrollToken.targetId,
    });
  return rows[0] ?? null;
}
