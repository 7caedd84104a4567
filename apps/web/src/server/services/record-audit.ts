import type { Database } from "../db/database.ts";
import { insertAuditEvent } from "../db/queries/insert-audit-event.ts";
import type { Principal } from "./ports.ts";

export type AuditEntry = {
  /** `noun.past_tense`: `member.removed`. */
  action: string;
  /** The id of what it was done to. */
  subject: string;
  /** A sentence for people, without secrets. */
  detail: string;
  atMs: number;
};

/** In the same transaction as the act, so that neither exists without the other. */
export async function recordAudit(
  db: Database,
  principal: Pick<Principal, "teamId" | "userId" | "userName">,
  entry: AuditEntry,
): Promise<void> {
  await insertAuditEvent(db, {
    teamId: principal.teamId,
    actor: `${principal.userName} (${principal.userId})`,
    action: entry.action,
    subject: entry.subject,
    detail: entry.detail,
    at: new Date(entry.atMs),
  });
}
