import { and, eq } from "drizzle-orm";
import type { Database } from "../database.ts";
import { member } from "../schema/team.ts";

export async function findMember(db: Database, key: { teamId: string; userId: string }) {
  const rows = await db
    .select()
    .from(member)
    .where(and(eq(member.teamId, key.teamId), eq(member.userId, key.userId)));
  return rows[0] ?? null;
}
