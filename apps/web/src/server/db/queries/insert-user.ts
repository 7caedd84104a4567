import type { Database } from "../database.ts";
import { user } from "../schema/user.ts";

/** @returns false when the e-mail address has an account already. */
export async function insertUser(
  db: Database,
  row: { id: string; name: string; email: string },
): Promise<boolean> {
  const rows = await db.insert(user).values(row).onConflictDoNothing().returning({ id: user.id });
  return rows.length === 1;
}
