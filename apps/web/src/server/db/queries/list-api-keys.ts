import { desc, eq } from "drizzle-orm";
import type { Database } from "../database.ts";
import { apikey } from "../schema/api-key.ts";

export async function listApiKeys(db: Database, memberId: string) {
  return await db
    .select({
      id: apikey.id,
      name: apikey.name,
      role: apikey.role,
      createdAt: apikey.createdAt,
      lastUsedAt: apikey.lastUsedAt,
      expiresAt: apikey.expiresAt,
    })
    .from(apikey)
    .where(eq(apikey.memberId, memberId))
    .orderBy(desc(apikey.createdAt), desc(apikey.id));
}
