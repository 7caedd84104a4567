import type { Role } from "@nexus/shared/roles";
import type { Database } from "../database.ts";
import { member } from "../schema/team.ts";

/** @returns null when the user is in the team already. */
export async function insertMember(
  db: Database,
  row: { id: string; teamId: string; userId: string; role: Role },
) {
  const rows = await db
    .insert(member)
    .values(row)
    .onConflictDoNothing()
    .returning({ createdAt: member.createdAt });
  return rows[0] ?? null;
}
