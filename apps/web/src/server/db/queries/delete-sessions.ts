import { and, eq, ne } from "drizzle-orm";
import type { Database } from "../database.ts";
import { session } from "../schema/user.ts";

/** @param except the id of a session that stays. */
export async function deleteSessions(db: Database, userId: string, except: string | null): Promise<void> {
  await db
    .delete(session)
    .where(and(eq(session.userId, userId), except === null ? undefined : ne(session.id, except)));
}
