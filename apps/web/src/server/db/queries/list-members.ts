import { asc, eq } from "drizzle-orm";
import type { Database } from "../database.ts";
import { member } from "../schema/team.ts";
import { user } from "../schema/user.ts";

export async function listMembers(db: Database, teamId: string) {
  return await db
    .select({
      memberId: member.id,
      userId: user.id,
      name: user.name,
      email: user.email,
      role: member.role,
      createdAt: member.createdAt,
    })
    .from(member)
    .innerJoin(user, eq(user.id, member.userId))
    .where(eq(member.teamId, teamId))
    .orderBy(asc(member.createdAt), asc(member.id));
}
