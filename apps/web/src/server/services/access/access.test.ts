import { NexusError } from "@nexus/shared/errors";
import type { Role } from "@nexus/shared/roles";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startTestApi, type TestApi } from "../../api/testing/test-api.ts";
import { addTestPerson, addTestTeam } from "../../api/testing/test-people.ts";
import { createApiKey } from "./api-keys.ts";
import { bootstrapOwner, hasOwner } from "./bootstrap-owner.ts";
import { listAudit } from "./list-audit.ts";
import { addMember, listMembers, removeMember, setMemberRole } from "./members.ts";
import { createSignInLink, redeemSignInLink, SIGN_IN_LINK_MS } from "./sign-in-link.ts";

const codeOf = async (promise: Promise<unknown>) =>
  await promise.then(
    () => "ok",
    (error: unknown) => (error instanceof NexusError ? error.code : String(error)),
  );
const secretOf = (link: string) => new URLSearchParams(new URL(link).hash.slice(1)).get("link") ?? "";

describe("the first owner", () => {
  let api: TestApi;
  beforeAll(async () => {
    api = await startTestApi();
  });
  afterAll(() => api?.close());

  it("[A21] of processes that start together on an empty database, one makes the owner and all get it", async () => {
    expect(await hasOwner(api.ctx)).toBe(false);
    const owners = await Promise.all([1, 2, 3, 4].map(() => bootstrapOwner(api.ctx, { name: "Ada" })));
    expect(owners.filter(({ created }) => created)).toHaveLength(1);
    expect(new Set(owners.map(({ userId }) => userId)).size).toBe(1);
    expect(await hasOwner(api.ctx)).toBe(true);
    const [owner] = owners;
    if (!owner) throw new Error("no owner");
    expect(await listMembers(api.ctx, owner)).toMatchObject([{ name: "Ada", role: "owner" }]);
    const again = await bootstrapOwner(api.ctx, { name: "Eve", email: "eve@example.com" });
    expect(again).toMatchObject({ userId: owner.userId, userName: "Ada", created: false });
  });
});

describe("members and links", () => {
  let api: TestApi;
  let teamId: string;
  beforeAll(async () => {
    api = await startTestApi();
    teamId = await addTestTeam(api.ctx, "one");
  });
  afterAll(() => api?.close());

  it("[A11] of all who try a link at once, one gets in", async () => {
    const { principal } = await addTestPerson(api.ctx, teamId, "viewer");
    const link = await createSignInLink(api.ctx, { userId: principal.userId });
    expect(new URL(link).search).toBe("");
    const tries = await Promise.allSettled(
      Array.from({ length: 8 }, () => redeemSignInLink(api.ctx, secretOf(link))),
    );
    expect(tries.filter(({ status }) => status === "fulfilled")).toMatchObject([{ value: principal.userId }]);
    expect(await codeOf(redeemSignInLink(api.ctx, secretOf(link)))).toBe("unauthenticated");
  });

  it("[A11] a link is worth nothing after its time, when altered, and after its user was removed", async () => {
    const owner = await addTestPerson(api.ctx, teamId, "owner");
    const { principal } = await addTestPerson(api.ctx, teamId, "viewer");
    const old = await createSignInLink(api.ctx, { userId: principal.userId });
    api.clock.aheadMs = SIGN_IN_LINK_MS;
    expect(await codeOf(redeemSignInLink(api.ctx, secretOf(old)))).toBe("unauthenticated");
    api.clock.aheadMs = 0;
    expect(await codeOf(redeemSignInLink(api.ctx, `${secretOf(old)}x`))).toBe("unauthenticated");
    const late = await createSignInLink(api.ctx, { userId: principal.userId });
    await removeMember(api.ctx, owner.principal, principal.userId);
    expect(await codeOf(redeemSignInLink(api.ctx, secretOf(late)))).toBe("unauthenticated");
  });

  it("[A12] adding a person who has an account gives no link into that account", async () => {
    const otherTeam = await addTestTeam(api.ctx, "two");
    const victim = await addTestPerson(api.ctx, otherTeam, "owner");
    const attacker = await addTestPerson(api.ctx, teamId, "owner");
    const input = { email: victim.email.toUpperCase(), name: "x", role: "viewer" as const };
    const { link, member } = await addMember(api.ctx, attacker.principal, input);
    expect(member.userId).toBe(victim.principal.userId);
    expect(new URL(link).hash).toBe("");
    expect(await codeOf(addMember(api.ctx, attacker.principal, input))).toBe("conflict");
  });

  it("[A12] a new person gets a link, and a new one while nobody has used the account", async () => {
    const owner = await addTestPerson(api.ctx, teamId, "owner");
    const input = { email: "new@example.com", name: "New", role: "member" as const };
    const first = await addMember(api.ctx, owner.principal, input);
    await removeMember(api.ctx, owner.principal, first.member.userId);
    const second = await addMember(api.ctx, owner.principal, input);
    expect(second.member.userId).toBe(first.member.userId);
    expect(await redeemSignInLink(api.ctx, secretOf(second.link))).toBe(first.member.userId);
  });

  it("[A13] a team keeps an owner, also when its owners step down at the same time", async () => {
    const lonely = await addTestTeam(api.ctx, "lonely");
    const a = await addTestPerson(api.ctx, lonely, "owner");
    expect(await codeOf(removeMember(api.ctx, a.principal, a.principal.userId))).toBe("invalid_state");
    expect(
      await codeOf(setMemberRole(api.ctx, a.principal, { userId: a.principal.userId, role: "viewer" })),
    ).toBe("invalid_state");
    const b = await addTestPerson(api.ctx, lonely, "owner");
    const outcomes = await Promise.all([
      codeOf(setMemberRole(api.ctx, a.principal, { userId: a.principal.userId, role: "member" })),
      codeOf(removeMember(api.ctx, b.principal, b.principal.userId)),
    ]);
    expect(outcomes.sort()).toEqual(["invalid_state", "ok"]);
    const owners = (await listMembers(api.ctx, a.principal)).filter(({ role }) => role === "owner");
    expect(owners).toHaveLength(1);
  });

  it("[A14] nobody gives, takes or removes a role above their own", async () => {
    const { principal: owner } = await addTestPerson(api.ctx, teamId, "owner");
    await addTestPerson(api.ctx, teamId, "owner");
    const { principal: admin } = await addTestPerson(api.ctx, teamId, "admin");
    const attempts = [
      addMember(api.ctx, admin, { email: "boss@example.com", name: "Boss", role: "owner" }),
      setMemberRole(api.ctx, admin, { userId: admin.userId, role: "owner" }),
      setMemberRole(api.ctx, admin, { userId: owner.userId, role: "viewer" }),
      removeMember(api.ctx, admin, owner.userId),
    ];
    expect(await Promise.all(attempts.map(codeOf))).toEqual(attempts.map(() => "forbidden"));
    expect(await codeOf(setMemberRole(api.ctx, owner, { userId: admin.userId, role: "owner" }))).toBe("ok");
  });

  it("[A4] members of another team cannot be seen or changed", async () => {
    const otherTeam = await addTestTeam(api.ctx, "three");
    const victim = await addTestPerson(api.ctx, otherTeam, "viewer");
    const { principal } = await addTestPerson(api.ctx, teamId, "owner");
    const { userId } = victim.principal;
    expect(await codeOf(removeMember(api.ctx, principal, userId))).toBe("not_found");
    expect(await codeOf(setMemberRole(api.ctx, principal, { userId, role: "viewer" }))).toBe("not_found");
    const seen = await listMembers(api.ctx, principal);
    expect(seen.map((member) => member.userId)).not.toContain(userId);
  });

  it("[A16] the database holds no key and no link, only their hashes", async () => {
    const { principal } = await addTestPerson(api.ctx, teamId, "viewer");
    const { secret } = await createApiKey(api.ctx, principal, { name: "k" });
    const link = secretOf(await createSignInLink(api.ctx, { userId: principal.userId }));
    const dump = await api.dump();
    expect(dump).toContain(principal.userId);
    expect(dump).not.toContain(secret);
    expect(dump).not.toContain(secret.slice(4));
    expect(dump).not.toContain(link);
  });

  it("[A23] who was added, changed, removed, and which keys came and went, is in the audit of that team", async () => {
    const audited = await addTestTeam(api.ctx, "audited");
    const { principal } = await addTestPerson(api.ctx, audited, "owner");
    const { member } = await addMember(api.ctx, principal, {
      email: "mo@example.com",
      name: "Mo",
      role: "viewer",
    });
    await setMemberRole(api.ctx, principal, { userId: member.userId, role: "member" });
    await removeMember(api.ctx, principal, member.userId);
    const events = await listAudit(api.ctx, principal, { limit: 10 });
    expect(events.map(({ action }) => action)).toEqual([
      "member.removed",
      "member.role_set",
      "member.added",
      "api_key.created",
    ]);
    expect(events[1]).toMatchObject({
      actor: `${principal.userName} (${principal.userId})`,
      subject: member.userId,
      detail: "mo@example.com was viewer and is member.",
    });
    const before = events[1]?.atMs ?? 0;
    const older = await listAudit(api.ctx, principal, { limit: 10, beforeMs: before });
    expect(older.every(({ atMs }) => atMs < before)).toBe(true);
  });

  it("[A41] a key does no more than its own role, nor than its owner may, and makes none that does", async () => {
    const owner = await addTestPerson(api.ctx, teamId, "owner");
    const { principal } = await addTestPerson(api.ctx, teamId, "admin");
    const roleOf = async (secret: string) => {
      const caller = await api.authenticator.authenticate({ kind: "key", secret, team: null });
      return caller.principal.role;
    };
    const made = async (as: typeof principal, role?: Role) =>
      (await createApiKey(api.ctx, as, { name: "k", role })).secret;
    const [plain, viewer, member] = [
      await made(principal),
      await made(principal, "viewer"),
      await made(principal, "member"),
    ];
    expect(await Promise.all([plain, viewer, member].map(roleOf))).toEqual(["admin", "viewer", "member"]);
    expect(await codeOf(made(principal, "owner"))).toBe("forbidden");
    const asMember = { ...principal, role: "member", roleMax: "member" } as const;
    expect(await codeOf(made(asMember, "admin"))).toBe("forbidden");
    expect(await roleOf(await made(asMember))).toBe("member");
    // Made with a limited key while its owner was no more than that themselves.
    const risen = await addTestPerson(api.ctx, teamId, "member");
    const limited = await made(risen.principal, "member");
    const limitedCaller = await api.authenticator.authenticate({ kind: "key", secret: limited, team: null });
    const child = await made(limitedCaller.principal);
    await setMemberRole(api.ctx, owner.principal, { userId: risen.principal.userId, role: "admin" });
    expect(await Promise.all([limited, child].map(roleOf))).toEqual(["member", "member"]);
    await setMemberRole(api.ctx, owner.principal, { userId: principal.userId, role: "viewer" });
    expect(await Promise.all([plain, viewer, member].map(roleOf))).toEqual(["viewer", "viewer", "viewer"]);
  });
});
