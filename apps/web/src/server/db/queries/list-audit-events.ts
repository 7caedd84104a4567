import { and, desc, eq, lt } from "drizzle-orm";
import type { Database } from "../database.ts";
import { auditEvent } from "../schema/audit.ts";

export async function listAuditEvents(
  db: Database,
  page: { teamId: string; limit: number; before: Date | null },
) {
  return await db
    .select()
    .from(auditEvent)
    .where(
      and(
        eq(auditEvent.teamId, page.teamId),
        page.before === null ? undefined : lt(auditEvent.at, page.before),
      ),
    )
    .orderBy(desc(auditEvent.at), desc(auditEvent.id))
    .limit(page.limit);
}
