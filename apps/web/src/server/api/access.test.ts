import { randomBytes } from "node:crypto";
import { contract } from "@nexus/shared/api/contract";
import { ROLES, type Role, roleAllows } from "@nexus/shared/roles";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { deleteMember } from "../db/queries/delete-member.ts";
import { findMember } from "../db/queries/find-member.ts";
import { createApiKey } from "../services/access/api-keys.ts";
import { PROCEDURES, startTestApi, type TestApi } from "./testing/test-api.ts";
import { addTestPerson, addTestTeam, joinTestTeam, type TestPerson } from "./testing/test-people.ts";

describe("who may call what", () => {
  let api: TestApi;
  let teamId: string;
  const people = new Map<Role, TestPerson>();

  beforeAll(async () => {
    api = await startTestApi();
    teamId = await addTestTeam(api.ctx, "one");
    for (const role of ROLES) people.set(role, await addTestPerson(api.ctx, teamId, role));
  });
  afterAll(() => api?.close());

  /** How a call ends: the refusal's code, or "ok". */
  async function outcome(name: string, headers: Record<string, string>): Promise<string> {
    const isStream = contract[name as keyof typeof contract].kind === "subscription";
    if (isStream) return await streamOutcome(`${api.origin}/api/trpc/${name}`, headers);
    const response = await api.rawCall(name, undefined, headers);
    return response.ok ? "ok" : (await response.json()).error.data.nexusCode;
  }

  /** A stream tells a refusal as an event of its own. */
  async function streamOutcome(url: string, headers: Record<string, string>): Promise<string> {
    const response = await fetch(url, { headers: { accept: "text/event-stream", ...headers } });
    let text = "";
    for await (const chunk of response.body ?? []) {
      text += Buffer.from(chunk).toString();
      const refusal = /"nexusCode":"(\w+)"/.exec(text)?.[1];
      if (refusal) return refusal;
      if (/^data: \{"(snapshot|changed)"/m.test(text)) return "ok";
    }
    return `ended with ${text}`;
  }

  const person = (role: Role): TestPerson => {
    const found = people.get(role);
    if (!found) throw new Error(`no ${role}`);
    return found;
  };
  const bearer = (key: string) => ({ authorization: `Bearer ${key}` });
  const withCookie = (cookie: string) => ({ cookie, origin: api.origin });

  it.each(PROCEDURES)("[A2] %s refuses who shows no valid proof", async (name) => {
    const { cookie, key } = person("owner");
    const expired = await createApiKey(api.ctx, person("owner").principal, { name: "gone", expiresInMs: -1 });
    const proofs = [
      { origin: api.origin },
      bearer("nxk_made-up"),
      bearer(`${key.slice(0, -1)}${key.endsWith("A") ? "B" : "A"}`),
      bearer(expired.secret),
      { authorization: `Basic ${key}` },
      withCookie("nexus.session_token=made.up"),
      withCookie(cookie.replace(/=./, "=~")),
      withCookie(cookie.slice(0, -8)),
      // A valid cookie does not help who shows an invalid key.
      { ...withCookie(cookie), ...bearer("nxk_made-up") },
    ];
    const outcomes = await Promise.all(proofs.map((proof) => outcome(name, proof)));
    expect(outcomes).toEqual(proofs.map(() => "unauthenticated"));
  });

  it.each(PROCEDURES)("[A3] %s refuses every role below its own and no other", async (name) => {
    for (const role of ROLES) {
      const isAllowed = roleAllows(role, contract[name].role);
      for (const proof of [bearer(person(role).key), withCookie(person(role).cookie)]) {
        const seen = await outcome(name, proof);
        if (isAllowed) expect(["ok", "bad_request", "unavailable"]).toContain(seen);
        else expect(seen).toBe("forbidden");
      }
    }
  });

  it("[A5] a key acts in its own team only, a session in the team that the caller names", async () => {
    const otherTeam = await addTestTeam(api.ctx, "two");
    const { principal, key, cookie } = await addTestPerson(api.ctx, teamId, "viewer");
    await joinTestTeam(api.ctx, { ...principal, teamId: otherTeam, role: "owner" });
    const stranger = await addTestTeam(api.ctx, "three");

    const me = async (headers: Record<string, string>) => {
      const body = await (await api.rawCall("me.get", undefined, headers)).json();
      return body.error
        ? body.error.data.nexusCode
        : `${body.result.data.team.name} ${body.result.data.role}`;
    };
    expect(await me(bearer(key))).toBe("one viewer");
    expect(await me({ ...bearer(key), "x-nexus-team": otherTeam })).toBe("forbidden");
    expect(await me(withCookie(cookie))).toBe("one viewer");
    expect(await me({ ...withCookie(cookie), "x-nexus-team": otherTeam })).toBe("two owner");
    expect(await me({ ...withCookie(cookie), "x-nexus-team": stranger })).toBe("forbidden");
  });

  it("[A6] a revoked key is refused from the next call on, however recently it was used", async () => {
    const { principal, key } = await addTestPerson(api.ctx, teamId, "member");
    const { apiKey, secret } = await createApiKey(api.ctx, principal, { name: "laptop" });
    expect(await outcome("me.get", bearer(secret))).toBe("ok");
    await api.call("apiKeys.revoke", { id: apiKey.id }, key);
    expect(await outcome("me.get", bearer(secret))).toBe("unauthenticated");
    expect(await outcome("me.get", bearer(key))).toBe("ok");
  });

  it("[A6] nobody revokes or sees another member's key", async () => {
    const { principal } = await addTestPerson(api.ctx, teamId, "member");
    const { apiKey, secret } = await createApiKey(api.ctx, principal, { name: "mine" });
    await expect(api.call("apiKeys.revoke", { id: apiKey.id }, person("owner").key)).rejects.toThrow(
      apiKey.id,
    );
    const seen = await api.call("apiKeys.list", undefined, person("owner").key);
    expect(seen.map(({ id }) => id)).not.toContain(apiKey.id);
    expect(await outcome("me.get", bearer(secret))).toBe("ok");
  });

  it("[A6] a removed member's key and session are refused from the next call on", async () => {
    const { principal, key, cookie } = await addTestPerson(api.ctx, teamId, "member");
    expect(await outcome("me.get", bearer(key))).toBe("ok");
    expect(await outcome("me.get", withCookie(cookie))).toBe("ok");
    await api.call("members.remove", { userId: principal.userId }, person("owner").key);
    expect(await outcome("me.get", bearer(key))).toBe("unauthenticated");
    expect(await outcome("me.get", withCookie(cookie))).toBe("unauthenticated");
  });

  it("[A6] a changed role counts from the next call on", async () => {
    const { principal, key } = await addTestPerson(api.ctx, teamId, "admin");
    expect(await outcome("audit.list", bearer(key))).toBe("bad_request");
    await api.call("members.setRole", { userId: principal.userId, role: "viewer" }, person("owner").key);
    expect(await outcome("audit.list", bearer(key))).toBe("forbidden");
  });

  it("[A6] a change that this process did not see counts within five seconds", async () => {
    const { principal, key } = await addTestPerson(api.ctx, teamId, "member");
    expect(await outcome("me.get", bearer(key))).toBe("ok");
    const member = await findMember(api.ctx.db, principal);
    await deleteMember(api.ctx.db, member?.id ?? "");
    api.clock.aheadMs = 5_000;
    try {
      expect(await outcome("me.get", bearer(key))).toBe("unauthenticated");
    } finally {
      api.clock.aheadMs = 0;
    }
  });

  it("[A9] a change by cookie needs an Origin of ours; by key it needs none", async () => {
    const { cookie, key } = await addTestPerson(api.ctx, teamId, "member");
    const name = () => ({ name: `k${randomBytes(4).toString("hex")}` });
    const create = async (headers: Record<string, string>) =>
      (await api.rawCall("apiKeys.create", name(), headers)).status;
    expect(await create({ cookie, origin: api.origin })).toBe(200);
    expect(await create({ cookie })).toBe(403);
    expect(await create({ cookie, origin: "null" })).toBe(403);
    expect(await create({ cookie, origin: "https://evil.example" })).toBe(403);
    expect(await create({ cookie, origin: `${api.origin}.evil.example` })).toBe(403);
    expect(await create({ cookie, origin: "http://127.0.0.1:1" })).toBe(403);
    expect(await create(bearer(key))).toBe(200);
  });

  it("[A18] a wrong input is answered with a sentence that names the field", async () => {
    const { key } = person("owner");
    const response = await api.rawCall("jobs.submit", { jobs: [{ command: [] }] }, bearer(key));
    expect(response.status).toBe(400);
    const { error } = await response.json();
    expect(error.message).toBe("jobs[0].command: a job needs a command");
    expect(error.data).toEqual({ code: "BAD_REQUEST", nexusCode: "bad_request", httpStatus: 400 });
  });

  it("[A18] a call without the input that it needs says that the input is missing", async () => {
    const { key } = person("owner");
    const { error } = await (await api.rawCall("jobs.list", undefined, bearer(key))).json();
    expect(error.message).toBe("input: is missing");
  });

  it("[A18] an unknown procedure and a broken body are refused as such", async () => {
    const { key } = person("owner");
    const unknown = await api.rawCall("jobs.explode", undefined, bearer(key));
    expect([unknown.status, (await unknown.json()).error.data.nexusCode]).toEqual([404, "not_found"]);
    const broken = await fetch(`${api.origin}/api/trpc/jobs.submit`, {
      method: "POST",
      body: "{",
      headers: { ...bearer(key), "content-type": "application/json" },
    });
    expect([broken.status, (await broken.json()).error.data.nexusCode]).toEqual([400, "bad_request"]);
  });

  it("[A18] input that may hold secrets is not taken from a URL", async () => {
    const input = encodeURIComponent(JSON.stringify({ command: ["true"], env: { TOKEN: "s3cret" } }));
    const response = await fetch(`${api.origin}/api/trpc/jobs.preview?input=${input}`, {
      headers: bearer(person("owner").key),
    });
    expect(response.status).toBe(400);
    expect(await response.text()).not.toContain("s3cret");
  });
});
