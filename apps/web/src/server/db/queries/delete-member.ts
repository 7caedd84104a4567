import { eq } from "drizzle-orm";
import type { Database } from "../database.ts";
import { member } from "../schema/team.ts";

/** Their API keys in this team go with the row. */
export async function deleteMember(db: Database, memberId: string): Promise<void> {
  await db.delete(member).where(eq(member.id, memberId));
}
