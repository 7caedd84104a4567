import { and, eq } from "drizzle-orm";
import type { Database } from "../database.ts";
import { apikey } from "../schema/api-key.ts";

/** @returns the key's name; null when the member has no such key. */
export async function deleteApiKey(
  db: Database,
  key: { id: string; memberId: string },
): Promise<string | null> {
  const rows = await db
    .delete(apikey)
    .where(and(eq(apikey.id, key.id), eq(apikey.memberId, key.memberId)))
    .returning({ name: apikey.name });
  return rows[0]?.name ?? null;
}
