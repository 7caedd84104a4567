import { eq } from "drizzle-orm";
import type { Database } from "../database.ts";
import { session } from "../schema/user.ts";

export async function findSession(db: Database, sessionId: string) {
  const rows = await db
    .select({ openedBy: session.openedBy, createdAt: session.createdAt })
    .from(session)
    .where(eq(session.id, sessionId));
  return rows[0] ?? null;
}
