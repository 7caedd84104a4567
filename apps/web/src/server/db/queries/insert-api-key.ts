import type { Role } from "@nexus/shared/roles";
import type { Database } from "../database.ts";
import { apikey } from "../schema/api-key.ts";

export async function insertApiKey(
  db: Database,
  row: {
    id: string;
    memberId: string;
    name: string;
    role: Role | null;
    secretHash: string;
    expiresAt: Date | null;
  },
) {
  const rows = await db.insert(apikey).values(row).returning({ createdAt: apikey.createdAt });
  return rows[0] ?? null;
}
