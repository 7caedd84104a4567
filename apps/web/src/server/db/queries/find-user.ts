import { eq } from "drizzle-orm";
import type { Database } from "../database.ts";
import { user } from "../schema/user.ts";

export async function findUser(db: Database, userId: string) {
  const rows = await db.select().from(user).where(eq(user.id, userId));
  return rows[0] ?? null;
}
