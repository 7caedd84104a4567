import { NexusError } from "@nexus/shared/errors";
import { findUserByEmail } from "../../db/queries/find-user-by-email.ts";
import { listUserTeams } from "../../db/queries/list-user-teams.ts";
import type { OperatorContext } from "./access-context.ts";
import { bootstrapOwner, hasOwner } from "./bootstrap-owner.ts";
import { createSignInLink } from "./sign-in-link.ts";

/**
 * For whoever has a shell on the server, who owns it anyway: a link for the member with this address, without one for the first
 * owner; on a server without an owner it makes one. This is how a server starts, and the way back in for who lost everything.
 */
export async function operatorSignInLink(
  ctx: OperatorContext,
  address?: string,
): Promise<{ link: string; email: string; created: boolean }> {
  const email = address?.trim().toLowerCase();
  if (email === undefined || !(await hasOwner(ctx))) {
    const owner = await bootstrapOwner(ctx, { name: email?.split("@")[0] ?? "owner", email });
    const link = await createSignInLink(ctx, { userId: owner.userId });
    return { link, email: owner.email, created: owner.created };
  }
  const user = await findUserByEmail(ctx.db, email);
  if (!user || (await listUserTeams(ctx.db, user.id)).length === 0) {
    throw new NexusError("not_found", { detail: `No member has the address ${email}.` });
  }
  return { link: await createSignInLink(ctx, { userId: user.id }), email, created: false };
}
