import type { Role } from "@nexus/shared/roles";
import { eq } from "drizzle-orm";
import type { Database } from "../database.ts";
import { member } from "../schema/team.ts";

export async function updateMemberRole(db: Database, memberId: string, role: Role): Promise<void> {
  await db.update(member).set({ role }).where(eq(member.id, memberId));
}
