import { and, asc, eq, gt, sql } from "drizzle-orm";
import type { Database } from "../database.ts";
import { member } from "../schema/team.ts";
import { session, user } from "../schema/user.ts";

/** Who a live session acts for; null when it ended. Without a wanted team it is the first one joined; role is null outside it. */
export async function findSessionCaller(db: Database, token: string, team: string | null) {
  const rows = await db
    .select({
      sessionId: session.id,
      expiresAt: session.expiresAt,
      userId: user.id,
      userName: user.name,
      teamId: member.teamId,
      role: member.role,
    })
    .from(session)
    .innerJoin(user, eq(user.id, session.userId))
    .leftJoin(member, and(eq(member.userId, user.id), team === null ? undefined : eq(member.teamId, team)))
    .where(and(eq(session.token, token), gt(session.expiresAt, sql`now()`)))
    .orderBy(asc(member.createdAt), asc(member.id))
    .limit(1);
  return rows[0] ?? null;
}
