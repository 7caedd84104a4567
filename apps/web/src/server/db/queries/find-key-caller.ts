import { and, eq, gt, isNull, or, sql } from "drizzle-orm";
import type { Database } from "../database.ts";
import { apikey } from "../schema/api-key.ts";
import { member } from "../schema/team.ts";
import { user } from "../schema/user.ts";

/** Who a key acts for, by its hash; null when it is unknown, revoked or expired. Its team and the roles of its member and its own come with it. */
export async function findKeyCaller(db: Database, secretHash: string) {
  const rows = await db
    .select({
      keyId: apikey.id,
      lastUsedAt: apikey.lastUsedAt,
      expiresAt: apikey.expiresAt,
      userId: user.id,
      userName: user.name,
      teamId: member.teamId,
      role: member.role,
      keyRole: apikey.role,
    })
    .from(apikey)
    .innerJoin(member, eq(member.id, apikey.memberId))
    .innerJoin(user, eq(user.id, member.userId))
    .where(
      and(eq(apikey.secretHash, secretHash), or(isNull(apikey.expiresAt), gt(apikey.expiresAt, sql`now()`))),
    );
  return rows[0] ?? null;
}
