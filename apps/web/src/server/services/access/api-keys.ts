import { assert } from "@nexus/shared/assert";
import { NexusError } from "@nexus/shared/errors";
import { newId } from "@nexus/shared/ids";
import { type Role, roleAllows } from "@nexus/shared/roles";
import { deleteApiKey } from "../../db/queries/delete-api-key.ts";
import { findMember } from "../../db/queries/find-member.ts";
import { insertApiKey } from "../../db/queries/insert-api-key.ts";
import { listApiKeys as listKeys } from "../../db/queries/list-api-keys.ts";
import type { Principal } from "../ports.ts";
import { recordAudit } from "../record-audit.ts";
import type { AccessContext } from "./access-context.ts";
import { secretHash } from "./secret-hash.ts";

/** A prefix that secret scanners and people recognise. */
const KEY_PREFIX = "nxk_";
const KEYS_MAX = 100;

export async function listApiKeys(ctx: AccessContext, principal: Principal) {
  const member = await memberOf(ctx, principal);
  const rows = await listKeys(ctx.db, member.id);
  return rows.map((row) => ({
    id: row.id,
    name: row.name,
    role: row.role,
    createdAtMs: row.createdAt.getTime(),
    lastUsedAtMs: row.lastUsedAt?.getTime() ?? null,
    expiresAtMs: row.expiresAt?.getTime() ?? null,
  }));
}

/** @returns the secret, which is known to nobody but the caller from now on. */
export async function createApiKey(
  ctx: AccessContext,
  principal: Principal,
  input: { name: string; role?: Role | undefined; expiresInMs?: number | undefined },
) {
  const member = await memberOf(ctx, principal);
  const role = roleOf(input.role, principal);
  const secret = `${KEY_PREFIX}${Buffer.from(ctx.randomBytes(32)).toString("base64url")}`;
  const id = newId("apiKey", ctx.randomBytes);
  const nowMs = ctx.clock.nowMs();
  const expiresAt = input.expiresInMs === undefined ? null : new Date(nowMs + input.expiresInMs);
  const createdAt = await ctx.db.transaction(async (tx) => {
    if ((await listKeys(tx, member.id)).length >= KEYS_MAX) {
      throw new NexusError("conflict", { detail: `You have ${KEYS_MAX} keys; revoke some first.` });
    }
    const row = await insertApiKey(tx, {
      id,
      memberId: member.id,
      name: input.name,
      role,
      secretHash: secretHash(secret),
      expiresAt,
    });
    assert(row, "an inserted key is returned");
    const detail = `API key "${input.name}" was made, ${role === null ? "with the role of its owner" : `as ${role}`}.`;
    await recordAudit(tx, principal, { action: "api_key.created", subject: id, detail, atMs: nowMs });
    return row.createdAt;
  });
  const apiKey = {
    id,
    name: input.name,
    role,
    createdAtMs: createdAt.getTime(),
    lastUsedAtMs: null,
    expiresAtMs: expiresAt?.getTime() ?? null,
  };
  return { apiKey, secret };
}

export async function revokeApiKey(
  ctx: AccessContext,
  principal: Principal,
  id: string,
): Promise<{ ok: true }> {
  const member = await memberOf(ctx, principal);
  await ctx.db.transaction(async (tx) => {
    const name = await deleteApiKey(tx, { id, memberId: member.id });
    if (name === null) throw new NexusError("not_found", { detail: `You have no API key ${id}.` });
    const detail = `API key "${name}" was revoked.`;
    await recordAudit(tx, principal, {
      action: "api_key.revoked",
      subject: id,
      detail,
      atMs: ctx.clock.nowMs(),
    });
  });
  ctx.events.emit("access", { teamId: principal.teamId, userId: principal.userId });
  return { ok: true };
}

/** A key gives no more than its maker has at that moment: one made with a limited key has that limit for good, though it be its owner's role now. */
function roleOf(asked: Role | undefined, principal: Principal): Role | null {
  if (asked === undefined) return principal.roleMax ?? null;
  if (roleAllows(principal.role, asked)) return asked;
  throw new NexusError("forbidden", {
    detail: `You are ${principal.role} here: a key of yours cannot be ${asked}.`,
  });
}

async function memberOf(ctx: AccessContext, principal: Principal) {
  const member = await findMember(ctx.db, principal);
  if (!member) throw new NexusError("forbidden", { detail: "You are not a member of this team any more." });
  return member;
}
