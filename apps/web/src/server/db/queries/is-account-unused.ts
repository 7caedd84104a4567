import { sql } from "drizzle-orm";
import type { Database } from "../database.ts";
import { member } from "../schema/team.ts";
import { account, session } from "../schema/user.ts";

/** Nobody has signed in to it yet and no team knows it: whoever holds a link to it takes nothing from anyone. */
export async function isAccountUnused(db: Database, userId: string): Promise<boolean> {
  const rows = await db.execute<{ used: boolean }>(sql`
    select exists (select from ${account} where user_id = ${userId})
      or exists (select from ${session} where user_id = ${userId})
      or exists (select from ${member} where user_id = ${userId}) as used`);
  return rows[0]?.used === false;
}
