import { once } from "node:events";
import { connect } from "node:net";
import type { Job, Target } from "@nexus/shared/api/schemas";
import { NexusError } from "@nexus/shared/errors";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { listApiKeys, revokeApiKey } from "../services/access/api-keys.ts";
import { removeMember, setMemberRole } from "../services/access/members.ts";
import type { Principal } from "../services/ports.ts";
import { startTestApi, type TestApi } from "./testing/test-api.ts";
import { addTestPerson, addTestTeam, type TestPerson } from "./testing/test-people.ts";
import { openTestSocket, refusedUpgrade } from "./testing/test-socket.ts";

/** A fleet and jobs that the test changes by hand; what is tested is the stream and not them. */
function changingWorld() {
  const targets = new Map<string, Target>();
  const jobs = new Map<string, Job>();
  const counts: Record<string, number> = {};
  const target = (name: string): Target => ({
    id: name,
    name,
    kind: "agent",
    state: "connected",
    stateSinceMs: 0,
    cordoned: false,
    draining: false,
    labels: {},
    facts: null,
    host: null,
    gpus: [],
    jobsActive: 0,
    notice: null,
    lastSeenAtMs: null,
    createdAtMs: 0,
  });
  return { targets, jobs, counts, target, listed: 0 };
}

describe("the live socket", () => {
  const world = changingWorld();
  let api: TestApi;
  let url: string;
  let teamId: string;
  let owner: TestPerson;

  beforeAll(async () => {
    api = await startTestApi({
      services: {
        fleet: {
          list: () => {
            world.listed += 1;
            return [...world.targets.values()];
          },
          get: () => {
            throw new NexusError("not_found");
          },
          find: (_team, id) => world.targets.get(id) ?? null,
        },
        problems: () => [],
        jobCounts: () => world.counts,
        getJobs: async (_principal: Principal, ids: string[]) =>
          ids.flatMap((id) => world.jobs.get(id) ?? []),
      },
    });
    url = `${api.origin.replace("http", "ws")}/ws/ui`;
    teamId = await addTestTeam(api.ctx, "one");
    owner = await addTestPerson(api.ctx, teamId, "owner");
  });
  afterAll(() => api?.close());

  const open = ({ cookie }: TestPerson) => openTestSocket(url, { cookie, origin: api.origin });
  const isData = ({ result }: { result?: { type: string } }) => result?.type === "data";

  it("[A9] is refused before the upgrade without proof, and with a cookie from a page of others", async () => {
    const { cookie, key } = owner;
    expect(await refusedUpgrade(url, { origin: api.origin })).toBe(401);
    expect(await refusedUpgrade(url, { origin: api.origin, cookie: "nexus.session_token=made.up" })).toBe(
      401,
    );
    expect(await refusedUpgrade(url, { cookie })).toBe(403);
    expect(await refusedUpgrade(url, { cookie, origin: "https://evil.example" })).toBe(403);
    expect(await refusedUpgrade(url, { cookie, origin: "null" })).toBe(403);
    expect(await refusedUpgrade(url, { authorization: "Bearer nxk_made-up" })).toBe(401);
    expect(await refusedUpgrade(`${url}?team=tm_0000000000`, { cookie, origin: api.origin })).toBe(403);
    expect(await refusedUpgrade(url, { authorization: `Bearer ${key}` })).toBe(101);
    expect(await refusedUpgrade(url, { cookie, origin: api.origin })).toBe(101);
  });

  it("[A9] a peer that leaves before it was admitted harms nothing", async () => {
    const { port, hostname } = new URL(api.origin);
    const socket = connect(Number(port), hostname);
    await once(socket, "connect");
    socket.write(
      `GET /ws/ui HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nAuthorization: Bearer ${owner.key}\r\n\r\n`,
    );
    socket.resetAndDestroy();
    expect(await refusedUpgrade(url, { authorization: `Bearer ${owner.key}` })).toBe(101);
  });

  it("[A24] fleet.watch begins with everything and goes on with what changed or left", async () => {
    world.targets.set("alpha", world.target("alpha"));
    world.counts.queued = 2;
    const socket = await open(owner);
    const id = socket.send("subscription", "fleet.watch");
    const first = await socket.next((message) => message.id === id && isData(message));
    expect(first.result?.data).toMatchObject({
      snapshot: true,
      targets: [{ id: "alpha" }],
      removed: [],
      queued: 2,
      running: 0,
    });
    world.targets.set("beta", world.target("beta"));
    world.targets.delete("alpha");
    Object.assign(world.counts, { queued: 1, running: 1, starting: 2, succeeded: 9 });
    api.events.emit("target", { teamId: "another", target: "alpha", removed: false });
    api.events.emit("target", { teamId, target: "beta", removed: false });
    api.events.emit("target", { teamId, target: "alpha", removed: true });
    const data: { targets: Target[]; removed: string[]; queued: number; running: number }[] = [];
    while (!data.some(({ removed }) => removed.length > 0)) {
      const message = await socket.next(isData);
      data.push(message.result?.data as (typeof data)[number]);
    }
    expect(data.flatMap(({ targets }) => targets.map((target) => target.id))).toEqual(["beta"]);
    expect(data.flatMap(({ removed }) => removed)).toEqual(["alpha"]);
    expect(data.at(-1)).toMatchObject({ queued: 1, running: 3 });
    socket.socket.terminate();
  });

  it("[A24] jobs.watch tells of jobs of its own team only", async () => {
    const socket = await open(owner);
    const id = socket.send("subscription", "jobs.watch");
    await socket.next((message) => message.id === id && isData(message));
    api.events.emit("job", { teamId: "another", jobs: ["j_foreign"] });
    api.events.emit("job", { teamId, jobs: ["j_gone"] });
    const message = await socket.next(isData);
    expect(message.result?.data).toMatchObject({ changed: [] });
    socket.socket.terminate();
  });

  it("[A7] is closed when its person is removed from the team", async () => {
    const person = await addTestPerson(api.ctx, teamId, "viewer");
    const socket = await open(person);
    const id = socket.send("subscription", "fleet.watch");
    await socket.next((message) => message.id === id && isData(message));
    await removeMember(api.ctx, owner.principal, person.principal.userId);
    expect(await socket.closed).toBe(4401);
  });

  it("[A7] is closed when the key that opened it is revoked", async () => {
    const person = await addTestPerson(api.ctx, teamId, "viewer");
    const socket = await openTestSocket(url, { authorization: `Bearer ${person.key}` });
    const id = socket.send("query", "me.get");
    await socket.next((message) => message.id === id && isData(message));
    const [key] = await listApiKeys(api.ctx, person.principal);
    await revokeApiKey(api.ctx, person.principal, key?.id ?? "");
    expect(await socket.closed).toBe(4401);
  });

  it("[A7] is closed when its session is signed out", async () => {
    const person = await addTestPerson(api.ctx, teamId, "viewer");
    const socket = await open(person);
    await api.post("/api/auth/sign-out", {}, { cookie: person.cookie });
    expect(await socket.closed).toBe(4401);
  });

  it("[A7] stays open for who keeps their membership, and each call counts the role of its time", async () => {
    const person = await addTestPerson(api.ctx, teamId, "admin");
    const socket = await open(person);
    const allowed = socket.send("query", "audit.list", {});
    await socket.next((message) => message.id === allowed && isData(message));
    await setMemberRole(api.ctx, owner.principal, { userId: person.principal.userId, role: "viewer" });
    const refused = socket.send("query", "audit.list", {});
    const answer = await socket.next((message) => message.id === refused);
    expect(answer.error?.data.nexusCode).toBe("forbidden");
    socket.socket.terminate();
  });

  it("[B4] who asks and does not read is asked no more, until the answers are read", async () => {
    const labels = Object.fromEntries(Array.from({ length: 60 }, (_, i) => [`label${i}`, "x".repeat(60)]));
    for (let i = 0; i < 100; i += 1) world.targets.set(`wide${i}`, { ...world.target(`wide${i}`), labels });
    const socket = await open(owner);
    const before = world.listed;
    socket.socket.pause();
    const count = 200;
    const taken = () => world.listed - before;
    let asked = 0;
    let last = 0;
    for (let isStuck = false; asked < count && !isStuck; ) {
      last = socket.send("query", "fleet.list");
      asked += 1;
      isStuck = await vi
        .waitFor(() => expect(taken()).toBe(asked), { timeout: 2_000 })
        .then(
          () => false,
          () => true,
        );
    }
    expect(taken()).toBeGreaterThan(1);
    expect(taken()).toBeLessThan(100);
    socket.socket.resume();
    await socket.next((message) => message.id === last && isData(message));
    expect(taken()).toBe(asked);
    world.targets.clear();
    socket.socket.terminate();
  });

  it("[A7] a stream by HTTP ends with a refusal when its key is revoked", async () => {
    const person = await addTestPerson(api.ctx, teamId, "viewer");
    const response = await fetch(`${api.origin}/api/trpc/fleet.watch`, {
      headers: { accept: "text/event-stream", authorization: `Bearer ${person.key}` },
    });
    let text = "";
    for await (const chunk of response.body ?? []) {
      text += Buffer.from(chunk).toString();
      if (!/"snapshot":true/.test(text)) continue;
      const [key] = await listApiKeys(api.ctx, person.principal);
      if (key) await revokeApiKey(api.ctx, person.principal, key.id);
      if (/"nexusCode"/.test(text)) break;
    }
    expect(text).toContain('"nexusCode":"unauthenticated"');
  });
});
