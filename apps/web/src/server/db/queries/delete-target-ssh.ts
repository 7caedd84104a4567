import { eq } from "drizzle-orm";
import type { Database } from "../database.ts";
import { targetSsh } from "../schema/ssh.ts";

/** With the target goes the key that led to it. */
export async function deleteTargetSsh(db: Database, targetId: number): Promise<void> {
  await db.delete(targetSsh).where(eq(targetSsh.targetId, targetId));
}
