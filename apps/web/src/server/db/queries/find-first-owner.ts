import { asc, eq } from "drizzle-orm";
import type { Database } from "../database.ts";
import { member } from "../schema/team.ts";
import { user } from "../schema/user.ts";

/** The owner who joined first; null on a server without one. */
export async function findFirstOwner(db: Database) {
  const rows = await db
    .select({ userId: user.id, email: user.email, teamId: member.teamId })
    .from(member)
    .innerJoin(user, eq(user.id, member.userId))
    .where(eq(member.role, "owner"))
    .orderBy(asc(member.createdAt), asc(member.id))
    .limit(1);
  return rows[0] ?? null;
}
