import { assert } from "@nexus/shared/assert";
import { NexusError } from "@nexus/shared/errors";
import { deleteSessions } from "../../db/queries/delete-sessions.ts";
import { findSession } from "../../db/queries/find-session.ts";
import { recordAudit } from "../record-audit.ts";
import type { AccessContext } from "./access-context.ts";
import type { Caller } from "./authenticator.ts";

/** Who came by a one-time link proved the account; for this long they may choose a password without the old one. */
const LINK_FRESH_MS = 15 * 60_000;

/** Signs out every other session of the user. Keys cannot change a password: a leaked one must not become an account. */
export async function changePassword(
  ctx: AccessContext,
  caller: Caller,
  input: { newPassword: string; currentPassword?: string | undefined },
): Promise<void> {
  if (caller.via.kind !== "session") {
    throw new NexusError("forbidden", { detail: "Sign in with a browser to change the password." });
  }
  const session = await findSession(ctx.db, caller.via.id);
  assert(session, "a caller's session exists");
  const nowMs = ctx.clock.nowMs();
  const isFreshLink = session.openedBy === "link" && nowMs - session.createdAt.getTime() < LINK_FRESH_MS;
  const { userId } = caller.principal;
  await ctx.accounts.setPassword({
    userId,
    newPassword: input.newPassword,
    currentPassword: isFreshLink ? null : (input.currentPassword ?? ""),
  });
  await deleteSessions(ctx.db, userId, caller.via.id);
  await recordAudit(ctx.db, caller.principal, {
    action: "password.set",
    subject: userId,
    detail: "The password was set; other sessions were signed out.",
    atMs: nowMs,
  });
  ctx.events.emit("access", { teamId: caller.principal.teamId, userId });
}
