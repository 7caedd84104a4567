import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createSignInLink } from "../services/access/sign-in-link.ts";
import { startTestApi, type TestApi } from "./testing/test-api.ts";
import { addTestPerson, addTestTeam, cookieHeader, type TestPerson } from "./testing/test-people.ts";

const PASSWORD = "correct horse battery";

describe("signing in", () => {
  let api: TestApi;
  let teamId: string;
  beforeAll(async () => {
    api = await startTestApi();
    teamId = await addTestTeam(api.ctx, "one");
  });
  afterAll(() => api?.close());

  const linkFor = async ({ principal }: TestPerson) =>
    (await createSignInLink(api.ctx, { userId: principal.userId })).split("#link=")[1] ?? "";

  async function personWithPassword(): Promise<TestPerson> {
    const person = await addTestPerson(api.ctx, teamId, "member");
    const set = await api.post("/api/auth/password", { newPassword: PASSWORD }, { cookie: person.cookie });
    expect(set.status).toBe(200);
    return person;
  }

  const signIn = (email: string, password: string) => api.post("/api/auth/sign-in", { email, password });
  const me = (cookie: string) => api.rawCall("me.get", undefined, { cookie, origin: api.origin });

  it("[A10] a password signs in, and signing out ends that session", async () => {
    const { email, principal } = await personWithPassword();
    const response = await signIn(email.toUpperCase(), PASSWORD);
    expect(await response.json()).toEqual({ ok: true });
    const cookie = cookieHeader(response.headers.getSetCookie());
    expect((await (await me(cookie)).json()).result.data.user.id).toBe(principal.userId);
    const out = await api.post("/api/auth/sign-out", {}, { cookie });
    expect(out.headers.getSetCookie().join()).toMatch(/Max-Age=0/i);
    expect((await me(cookie)).status).toBe(401);
    expect((await api.post("/api/auth/sign-out", {}, { cookie })).status).toBe(200);
  });

  it("[A10] a wrong password and an unknown address get the same answer", async () => {
    const { email } = await personWithPassword();
    const answers = await Promise.all(
      [signIn(email, "wrong password!"), signIn("nobody@example.com", "wrong password!")].map(
        async (response) => {
          const { status, headers } = await response;
          return { status, body: await (await response).json(), cookies: headers.getSetCookie() };
        },
      ),
    );
    expect(answers[0]).toEqual(answers[1]);
    expect(answers[0]).toMatchObject({ status: 401, cookies: [] });
  });

  it("[A20] the cookie is out of reach of scripts and of other sites' requests, and named by the port", async () => {
    const { email } = await personWithPassword();
    const [cookie] = (await signIn(email, PASSWORD)).headers.getSetCookie();
    expect(cookie).toMatch(/HttpOnly/i);
    expect(cookie).toMatch(/SameSite=Lax/i);
    expect(cookie).not.toMatch(/Secure/i);
    expect(cookie).toContain(`nexus-${new URL(api.origin).port}.`);
  });

  it("[A11] a link posted in a body signs a browser in", async () => {
    const person = await addTestPerson(api.ctx, teamId, "viewer");
    const link = await linkFor(person);
    const response = await api.post("/api/auth/link", { link });
    const cookie = cookieHeader(response.headers.getSetCookie());
    expect((await (await me(cookie)).json()).result.data.user.id).toBe(person.principal.userId);
    const again = await api.post("/api/auth/link", { link });
    expect([again.status, again.headers.getSetCookie()]).toEqual([401, []]);
    expect((await again.json()).error.data.nexusCode).toBe("unauthenticated");
  });

  it("[A9] signing in, by link too, is refused to pages of others", async () => {
    const person = await addTestPerson(api.ctx, teamId, "viewer");
    const link = await linkFor(person);
    for (const origin of ["https://evil.example", "null", ""]) {
      const response = await api.post("/api/auth/link", { link }, { origin });
      expect([response.status, response.headers.getSetCookie()]).toEqual([403, []]);
    }
    expect((await api.post("/api/auth/link", { link })).status).toBe(200);
  });

  it("[A22] a new password needs the present one, unless a fresh link proved the account", async () => {
    const { email } = await personWithPassword();
    const cookie = cookieHeader((await signIn(email, PASSWORD)).headers.getSetCookie());
    const set = async (body: object, headers: Record<string, string> = { cookie }) =>
      (await api.post("/api/auth/password", body, headers)).status;
    expect(await set({ newPassword: "another password" })).toBe(403);
    expect(await set({ newPassword: "another password", currentPassword: "wrong" })).toBe(403);
    expect(await set({ newPassword: "short", currentPassword: PASSWORD })).toBe(400);
    expect(await set({ newPassword: "another password", currentPassword: PASSWORD })).toBe(200);
    expect((await signIn(email, PASSWORD)).status).toBe(401);
    expect((await signIn(email, "another password")).status).toBe(200);
  });

  it("[A22] the freshness of a link passes", async () => {
    const person = await personWithPassword();
    const response = await api.post("/api/auth/link", { link: await linkFor(person) });
    const cookie = cookieHeader(response.headers.getSetCookie());
    api.clock.aheadMs = 15 * 60_000;
    const late = await api.post("/api/auth/password", { newPassword: "yet another one" }, { cookie });
    api.clock.aheadMs = 0;
    expect(late.status).toBe(403);
    const fresh = await api.post("/api/auth/password", { newPassword: "yet another one" }, { cookie });
    expect(fresh.status).toBe(200);
  });

  it("[A22] a new password signs all other sessions out, and a key cannot set one", async () => {
    const person = await personWithPassword();
    const other = cookieHeader((await signIn(person.email, PASSWORD)).headers.getSetCookie());
    const byKey = await api.post(
      "/api/auth/password",
      { newPassword: "another password" },
      { authorization: `Bearer ${person.key}` },
    );
    expect(byKey.status).toBe(403);
    await api.post("/api/auth/password", { newPassword: "another password" }, { cookie: person.cookie });
    expect((await me(other)).status).toBe(401);
    expect((await me(person.cookie)).status).toBe(200);
  });

  it("[A10] guessing is slowed down by e-mail address and says how long", async () => {
    api.clock.aheadMs = 60_000;
    const guesses = await Promise.all(
      Array.from({ length: 11 }, () => signIn("target@example.com", "guess")),
    );
    const statuses = guesses.map(({ status }) => status).sort();
    expect(statuses).toEqual([...Array.from({ length: 10 }, () => 401), 429]);
    const limited = guesses.find(({ status }) => status === 429);
    expect(Number(limited?.headers.get("retry-after"))).toBeGreaterThan(0);
    expect((await limited?.json())?.error.data).toMatchObject({ nexusCode: "rate_limited" });
    // Another person can still sign in, until the address itself is over its limit.
    expect((await signIn("other@example.com", "guess")).status).toBe(401);
  });

  it("[A10] guessing is slowed down by network address", async () => {
    api.clock.aheadMs = 120_000;
    const statuses = new Set<number>();
    for (let i = 0; i < 30; i += 1) statuses.add((await signIn(`u${i}@example.com`, "guess")).status);
    expect(statuses).toContain(429);
    expect((await api.post("/api/auth/link", { link: "guess" })).status).toBe(429);
    api.clock.aheadMs = 180_000;
    expect((await api.post("/api/auth/link", { link: "guess" })).status).toBe(401);
    api.clock.aheadMs = 0;
  });

  it("[A10] nobody signs up by themselves", async () => {
    for (const path of ["sign-up/email", "sign-up", "sign-in/email", "get-session", "list-sessions"]) {
      const body = { email: "a@example.com", password: PASSWORD, name: "A" };
      expect((await api.post(`/api/auth/${path}`, body)).status).toBe(404);
    }
  });

  it("[A10] the state says whether there is an owner and whether this browser is signed in", async () => {
    const { cookie } = await addTestPerson(api.ctx, teamId, "owner");
    const state = async (headers: Record<string, string>) =>
      await (await fetch(`${api.origin}/api/auth/state`, { headers })).json();
    expect(await state({})).toEqual({ hasOwner: true, signedIn: false });
    expect(await state({ cookie })).toEqual({ hasOwner: true, signedIn: true });
  });
});

describe("behind https", () => {
  it("[A20] the cookie is for https only, and the page's own origin is accepted", async () => {
    const api = await startTestApi({ url: "https://nexus.example.com" });
    try {
      const person = await addTestPerson(api.ctx, await addTestTeam(api.ctx, "one"), "owner");
      expect(person.cookie).toContain("__Secure-nexus.");
      const link = (await createSignInLink(api.ctx, { userId: person.principal.userId })).split("#link=")[1];
      const response = await api.post("/api/auth/link", { link }, { origin: "https://nexus.example.com" });
      expect(response.headers.getSetCookie().join()).toMatch(/Secure/);
    } finally {
      await api.close();
    }
  });
});
