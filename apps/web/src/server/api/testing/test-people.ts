import { randomBytes } from "node:crypto";
import { newId } from "@nexus/shared/ids";
import type { Role } from "@nexus/shared/roles";
import { insertDefaultQueue } from "../../db/queries/insert-default-queue.ts";
import { insertMember } from "../../db/queries/insert-member.ts";
import { insertTeam } from "../../db/queries/insert-team.ts";
import { insertUser } from "../../db/queries/insert-user.ts";
import type { AccessContext } from "../../services/access/access-context.ts";
import { createApiKey } from "../../services/access/api-keys.ts";
import type { Principal } from "../../services/ports.ts";

export type TestPerson = { principal: Principal; email: string; key: string; cookie: string };

export async function addTestTeam(ctx: AccessContext, name: string): Promise<string> {
  const id = newId("team", randomBytes);
  await insertTeam(ctx.db, { id, name });
  await insertDefaultQueue(ctx.db, id);
  return id;
}

/** A member with a key and a session, as after a sign-in. */
export async function addTestPerson(ctx: AccessContext, teamId: string, role: Role): Promise<TestPerson> {
  const userId = newId("user", randomBytes);
  const userName = `${role} ${userId}`;
  const email = `${userId}@example.com`;
  await insertUser(ctx.db, { id: userId, name: userName, email });
  const principal: Principal = { userId, userName, teamId, role };
  await joinTestTeam(ctx, principal);
  const { secret } = await createApiKey(ctx, principal, { name: "test" });
  const { setCookies } = await ctx.accounts.openSession(userId, new Headers());
  return { principal, email, key: secret, cookie: cookieHeader(setCookies) };
}

export async function joinTestTeam(ctx: AccessContext, principal: Principal): Promise<void> {
  const { teamId, userId, role } = principal;
  await insertMember(ctx.db, { id: newId("member", randomBytes), teamId, userId, role });
}

/** What a browser sends back of what it was told to keep. */
export function cookieHeader(setCookies: string[]): string {
  return setCookies.map((line) => line.split(";")[0]).join("; ");
}
