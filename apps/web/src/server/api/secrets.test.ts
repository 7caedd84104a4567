import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { findSession } from "../db/queries/find-session.ts";
import { createSignInLink } from "../services/access/sign-in-link.ts";
import { startTestApi, type TestApi } from "./testing/test-api.ts";
import { addTestPerson, addTestTeam, cookieHeader } from "./testing/test-people.ts";
import { openTestSocket } from "./testing/test-socket.ts";

describe("secrets", () => {
  let api: TestApi;
  let broken = false;
  beforeAll(async () => {
    api = await startTestApi({
      services: {
        listQueues: async () => {
          if (broken) await findSession(api.ctx.db, "s3cret\u0000parameter");
          return [];
        },
      },
    });
  });
  afterAll(() => api?.close());

  it("[A17] neither the log nor a URL names a secret after a run through all that has one", async () => {
    const teamId = await addTestTeam(api.ctx, "one");
    const owner = await addTestPerson(api.ctx, teamId, "owner");
    const link =
      (await createSignInLink(api.ctx, { userId: owner.principal.userId })).split("#link=")[1] ?? "";
    const signedIn = await api.post("/api/auth/link", { link });
    const cookie = cookieHeader(signedIn.headers.getSetCookie());
    const newPassword = "correct horse battery";
    await api.post("/api/auth/password", { newPassword }, { cookie });
    await api.post("/api/auth/sign-in", { email: owner.email, password: newPassword });
    await api.post("/api/auth/sign-in", { email: owner.email, password: "wrong password!" });
    await api.post("/api/auth/link", { link });
    const { secret } = await api.call("apiKeys.create", { name: "k" }, owner.key);
    const added = await api.call(
      "members.add",
      { email: "a@example.com", name: "A", role: "viewer" },
      owner.key,
    );
    await api.rawCall(
      "jobs.preview",
      { command: ["true"], env: { TOKEN: "job-secret" } },
      {
        authorization: `Bearer ${secret}`,
      },
    );
    const socket = await openTestSocket(`${api.origin.replace("http", "ws")}/ws/ui?team=${teamId}`, {
      cookie,
      origin: api.origin,
    });
    const id = socket.send("query", "me.get");
    await socket.next((message) => message.id === id);
    socket.socket.terminate();

    const invitation = added.link.split("#link=")[1] ?? "";
    const secrets = [
      link,
      invitation,
      secret,
      owner.key,
      cookie,
      newPassword,
      "wrong password!",
      "job-secret",
    ];
    const traces = [...api.urls, ...api.problems].join("\n");
    expect(secrets.every((value) => value.length > 8)).toBe(true);
    for (const value of secrets) {
      expect(traces).not.toContain(value);
      expect(traces).not.toContain(encodeURIComponent(value));
    }
  });

  it("[A19] a fault of ours is answered with an id that the log explains, and with nothing of the fault", async () => {
    const owner = await addTestPerson(api.ctx, await addTestTeam(api.ctx, "two"), "owner");
    broken = true;
    const response = await api.rawCall("queues.list", undefined, { authorization: `Bearer ${owner.key}` });
    expect(response.status).toBe(500);
    const text = await response.text();
    expect(text).not.toMatch(/select|session|s3cret|at .*\.ts/);
    const { error } = JSON.parse(text);
    expect(error.data).toEqual({ code: "INTERNAL_SERVER_ERROR", nexusCode: "internal", httpStatus: 500 });
    const id = /\((e_\w+)\)/.exec(error.message)?.[1] ?? "none";
    const explained = api.problems.find((line) => line.startsWith(id));
    expect(explained).toContain("invalid byte sequence");
    expect(explained).toContain('from "session"');
    expect(explained).not.toContain("s3cret");
  });
});
