import { listAuditEvents } from "../../db/queries/list-audit-events.ts";
import type { Principal } from "../ports.ts";
import type { AccessContext } from "./access-context.ts";

export async function listAudit(
  ctx: AccessContext,
  principal: Principal,
  page: { limit: number; beforeMs?: number | undefined },
) {
  const rows = await listAuditEvents(ctx.db, {
    teamId: principal.teamId,
    limit: page.limit,
    before: page.beforeMs === undefined ? null : new Date(page.beforeMs),
  });
  return rows.map(({ at, actor, action, subject, detail }) => ({
    atMs: at.getTime(),
    actor,
    action,
    subject,
    detail,
  }));
}
