import { eq } from "drizzle-orm";
import type { Database } from "../database.ts";
import { enrollToken } from "../schema/target.ts";

/** Until the transaction ends nobody else enrols with this token. */
export async function lockEnrollToken(db: Database, id: number): Promise<void> {
  await db.select({ id: enrollToken.id }).from(enrollToken).where(eq(enrollToken.id, id)).for("update");
}
