import { eq, sql } from "drizzle-orm";
import type { Database } from "../database.ts";
import { member } from "../schema/team.ts";
import { account, session, user } from "../schema/user.ts";

/** Nobody has signed in to it yet and no team knows it: whoever holds a link to it takes nothing from anyone. */
export async function isAccountUnused(db: Database, userId: string): Promise<boolean> {
  const rows = await db
    .select({
      unused: sql<boolean>`not exists (select from ${account} where ${account.userId} = ${user.id})
        and not exists (select from ${session} where ${session.userId} = ${user.id})
        and not exists (select from ${member} where ${member.userId} = ${user.id})`,
    })
    .from(user)
    .where(eq(user.id, userId));
  return rows[0]?.unused === true;
}
