import type { Database } from "../database.ts";
import { targetSsh } from "../schema/ssh.ts";

export type NewTargetSsh = typeof targetSsh.$inferInsert;

/** A new way replaces the old one; a key that is not named stays. */
export async function putTargetSsh(db: Database, given: NewTargetSsh): Promise<void> {
  const { targetId: _key, ...values } = given;
  await db.insert(targetSsh).values(given).onConflictDoUpdate({ target: targetSsh.targetId, set: values });
}
