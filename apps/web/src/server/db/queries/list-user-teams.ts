import { asc, eq } from "drizzle-orm";
import type { Database } from "../database.ts";
import { member, team } from "../schema/team.ts";

export async function listUserTeams(db: Database, userId: string) {
  return await db
    .select({ id: team.id, name: team.name, role: member.role })
    .from(member)
    .innerJoin(team, eq(team.id, member.teamId))
    .where(eq(member.userId, userId))
    .orderBy(asc(member.createdAt), asc(member.id));
}
