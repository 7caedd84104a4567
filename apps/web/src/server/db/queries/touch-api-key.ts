import { eq, sql } from "drizzle-orm";
import type { Database } from "../database.ts";
import { apikey } from "../schema/api-key.ts";

export async function touchApiKey(db: Database, keyId: string): Promise<void> {
  await db.update(apikey).set({ lastUsedAt: sql`now()` }).where(eq(apikey.id, keyId));
}
