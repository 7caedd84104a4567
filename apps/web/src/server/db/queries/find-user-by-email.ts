import { eq } from "drizzle-orm";
import type { Database } from "../database.ts";
import { user } from "../schema/user.ts";

/** @param email in lower case, as all are stored. */
export async function findUserByEmail(db: Database, email: string) {
  const rows = await db.select().from(user).where(eq(user.email, email));
  return rows[0] ?? null;
}
