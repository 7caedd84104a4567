/**
 * The people of a team. Invariants: a team keeps at least one owner, also when two owners step down at once (the team's row is
 * locked); nobody gives or takes a role above their own; a one-time link is made only for an account that nobody uses yet, since
 * whoever holds it becomes that user in every team.
 */
import { assert } from "@nexus/shared/assert";
import { NexusError } from "@nexus/shared/errors";
import { newId } from "@nexus/shared/ids";
import { type Role, roleAllows } from "@nexus/shared/roles";
import type { Database } from "../../db/database.ts";
import { deleteMember } from "../../db/queries/delete-member.ts";
import { deleteSessions } from "../../db/queries/delete-sessions.ts";
import { deleteSignInLinks } from "../../db/queries/delete-sign-in-links.ts";
import { findUserByEmail } from "../../db/queries/find-user-by-email.ts";
import { insertMember } from "../../db/queries/insert-member.ts";
import { insertUser } from "../../db/queries/insert-user.ts";
import { isAccountUnused } from "../../db/queries/is-account-unused.ts";
import { listMembers as listRows } from "../../db/queries/list-members.ts";
import { listUserTeams } from "../../db/queries/list-user-teams.ts";
import { lockTeam } from "../../db/queries/lock-team.ts";
import { updateMemberRole } from "../../db/queries/update-member-role.ts";
import type { Principal } from "../ports.ts";
import { recordAudit } from "../record-audit.ts";
import type { AccessContext } from "./access-context.ts";
import { createSignInLink, INVITATION_MS } from "./sign-in-link.ts";

type MemberRow = Awaited<ReturnType<typeof listRows>>[number];

export async function listMembers(ctx: AccessContext, principal: Principal) {
  return (await listRows(ctx.db, principal.teamId)).map(toMember);
}

export async function addMember(
  ctx: AccessContext,
  principal: Principal,
  input: { email: string; name: string; role: Role },
) {
  refuseAbove(principal, input.role);
  const email = input.email.toLowerCase();
  return await ctx.db.transaction(async (tx) => {
    await lockTeam(tx, principal.teamId);
    const userId = await findOrInsertUser(ctx, tx, { name: input.name, email });
    const isUnused = await isAccountUnused(tx, userId);
    const { teamId } = principal;
    const id = newId("member", ctx.randomBytes);
    if (!(await insertMember(tx, { id, teamId, userId, role: input.role }))) {
      throw new NexusError("conflict", { detail: `${email} is a member already.` });
    }
    const detail = `${email} was added as ${input.role}.`;
    await recordAudit(tx, principal, {
      action: "member.added",
      subject: userId,
      detail,
      atMs: ctx.clock.nowMs(),
    });
    const link = isUnused
      ? await createSignInLink(ctx, { userId, ttlMs: INVITATION_MS, db: tx })
      : `${ctx.url}/sign-in`;
    return { member: toMember(await requireMember(tx, teamId, userId)), link };
  });
}

export async function setMemberRole(
  ctx: AccessContext,
  principal: Principal,
  input: { userId: string; role: Role },
) {
  refuseAbove(principal, input.role);
  const { teamId } = principal;
  const member = await ctx.db.transaction(async (tx) => {
    await lockTeam(tx, teamId);
    const row = await requireMember(tx, teamId, input.userId);
    refuseAbove(principal, row.role);
    if (input.role !== "owner") await refuseLastOwner(tx, teamId, row);
    await updateMemberRole(tx, row.memberId, input.role);
    const detail = `${row.email} was ${row.role} and is ${input.role}.`;
    await recordAudit(tx, principal, {
      action: "member.role_set",
      subject: row.userId,
      detail,
      atMs: ctx.clock.nowMs(),
    });
    return toMember({ ...row, role: input.role });
  });
  ctx.events.emit("access", { teamId, userId: input.userId });
  return member;
}

/** Their keys in this team die with the membership; without another team their sessions and links do too. */
export async function removeMember(
  ctx: AccessContext,
  principal: Principal,
  userId: string,
): Promise<{ ok: true }> {
  const { teamId } = principal;
  await ctx.db.transaction(async (tx) => {
    await lockTeam(tx, teamId);
    const row = await requireMember(tx, teamId, userId);
    refuseAbove(principal, row.role);
    await refuseLastOwner(tx, teamId, row);
    await deleteMember(tx, row.memberId);
    if ((await listUserTeams(tx, userId)).length === 0) {
      await deleteSessions(tx, userId, null);
      await deleteSignInLinks(tx, userId, new Date(ctx.clock.nowMs()));
    }
    const detail = `${row.email} (${row.role}) was removed.`;
    await recordAudit(tx, principal, {
      action: "member.removed",
      subject: userId,
      detail,
      atMs: ctx.clock.nowMs(),
    });
  });
  ctx.events.emit("access", { teamId, userId });
  return { ok: true };
}

async function findOrInsertUser(
  ctx: AccessContext,
  tx: Database,
  person: { name: string; email: string },
): Promise<string> {
  const id = newId("user", ctx.randomBytes);
  if (await insertUser(tx, { id, ...person })) return id;
  const user = await findUserByEmail(tx, person.email);
  assert(user, "an address that cannot be inserted has an account");
  return user.id;
}

async function requireMember(tx: Database, teamId: string, userId: string): Promise<MemberRow> {
  const row = (await listRows(tx, teamId)).find((candidate) => candidate.userId === userId);
  if (!row) throw new NexusError("not_found", { detail: `The team has no member ${userId}.` });
  return row;
}

function refuseAbove(principal: Principal, role: Role): void {
  if (roleAllows(principal.role, role)) return;
  throw new NexusError("forbidden", {
    detail: `You are ${principal.role}; only an owner can do this with an ${role}.`,
  });
}

async function refuseLastOwner(tx: Database, teamId: string, leaving: MemberRow): Promise<void> {
  const owners = (await listRows(tx, teamId)).filter((row) => row.role === "owner");
  if (owners.length > 1 || owners[0]?.userId !== leaving.userId) return;
  throw new NexusError("invalid_state", {
    detail: `${leaving.email} is the team's last owner. Make another member an owner first.`,
  });
}

function toMember(row: MemberRow) {
  const { userId, name, email, role, createdAt } = row;
  return { userId, name, email, role, joinedAtMs: createdAt.getTime() };
}
