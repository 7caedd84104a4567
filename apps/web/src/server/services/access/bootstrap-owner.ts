import { assert } from "@nexus/shared/assert";
import { newId } from "@nexus/shared/ids";
import { findFirstOwner } from "../../db/queries/find-first-owner.ts";
import { findUser } from "../../db/queries/find-user.ts";
import { insertDefaultQueue } from "../../db/queries/insert-default-queue.ts";
import { insertMember } from "../../db/queries/insert-member.ts";
import { insertTeam } from "../../db/queries/insert-team.ts";
import { insertUser } from "../../db/queries/insert-user.ts";
import { lockBootstrap } from "../../db/queries/lock-bootstrap.ts";
import type { Principal } from "../ports.ts";
import { recordAudit } from "../record-audit.ts";
import type { OperatorContext } from "./access-context.ts";

export type Owner = Principal & { email: string; created: boolean };

/**
 * The first owner with a team and its default queue, on a database without an owner; otherwise the owner that is there.
 * Any number of processes may call it at once.
 */
export async function bootstrapOwner(
  ctx: OperatorContext,
  person: { name: string; email?: string | undefined },
): Promise<Owner> {
  return await ctx.db.transaction(async (tx) => {
    await lockBootstrap(tx);
    const present = await findFirstOwner(tx);
    if (present) {
      const user = await findUser(tx, present.userId);
      assert(user, "a member has an account");
      const { teamId, userId, email } = present;
      return { userId, userName: user.name, teamId, role: "owner", email, created: false };
    }
    const userId = newId("user", ctx.randomBytes);
    const teamId = newId("team", ctx.randomBytes);
    // An address to sign in with; nothing is ever sent to it.
    const local = person.name.toLowerCase().replace(/[^a-z0-9._-]/g, "") || "owner";
    const email = (person.email ?? `${local}@nexus.invalid`).toLowerCase();
    const isNew = await insertUser(tx, { id: userId, name: person.name, email });
    assert(isNew, "a server without an owner has no account of this address");
    await insertTeam(tx, { id: teamId, name: "default" });
    await insertMember(tx, { id: newId("member", ctx.randomBytes), teamId, userId, role: "owner" });
    await insertDefaultQueue(tx, teamId);
    const owner = { userId, userName: person.name, teamId };
    await recordAudit(tx, owner, {
      action: "team.created",
      subject: teamId,
      detail: `${person.name} became the first owner.`,
      atMs: ctx.clock.nowMs(),
    });
    return { ...owner, role: "owner", email, created: true };
  });
}

/** The owner who joined first; null on a server that waits for one. */
export async function hasOwner(ctx: OperatorContext): Promise<boolean> {
  return (await findFirstOwner(ctx.db)) !== null;
}
