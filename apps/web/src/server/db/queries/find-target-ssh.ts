import { eq } from "drizzle-orm";
import type { Database } from "../database.ts";
import { targetSsh } from "../schema/ssh.ts";

export async function findTargetSsh(db: Database, targetId: number) {
  const [row] = await db.select().from(targetSsh).where(eq(targetSsh.targetId, targetId));
  return row ?? null;
}
