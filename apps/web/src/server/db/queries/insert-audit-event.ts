import type { Database } from "../database.ts";
import { auditEvent } from "../schema/audit.ts";

export type AuditRow = {
  teamId: string;
  /** A user's name and id, or the part that acted. */
  actor: string;
  /** `noun.past_tense`: `member.removed`. */
  action: string;
  /** The id of what it was done to. */
  subject: string;
  /** A sentence for people, without secrets. */
  detail: string;
  /** Whole milliseconds: readers page by them. */
  at: Date;
};

export async function insertAuditEvent(db: Database, row: AuditRow): Promise<void> {
  await db.insert(auditEvent).values(row);
}
