import type { OutputOf } from "@nexus/shared/api/contract";
import type { Target } from "@nexus/shared/api/schemas";
import { describe, expect, it } from "vitest";
import { judgeAgent, judgeNode, judgeSettings, judgeSsh } from "./judge-here.ts";
import {
  judgeCertificate,
  judgeClock,
  judgeFleet,
  judgeHealth,
  judgeProblems,
  judgeReach,
  judgeReadiness,
  judgeVersion,
  judgeWebSocket,
  type Probe,
} from "./judge-server.ts";

const DAY_MS = 86_400_000;
const probe = (given: Partial<Probe>): Probe => ({
  ...{ status: 200, body: "{}", tookMs: 3, dateMs: null, certificateUntilMs: null },
  ...given,
});
const target = (given: object) =>
  ({
    name: "gpu1",
    kind: "agent",
    state: "connected",
    notice: null,
    facts: { agentVersion: "0.1.0", gpuProblem: null },
    ...given,
  }) as Target;

describe("what doctor makes of what it found", () => {
  it("[N19] this machine: its Node, who may read the key, an ssh", () => {
    for (const version of ["22.18.0", "24.1.0"]) expect(judgeNode(version).state).toBe("ok");
    for (const version of ["20.19.1", "22.17.9"])
      expect(judgeNode(version)).toMatchObject({
        state: "fail",
        next: expect.stringContaining("Node.js 24"),
      });
    const settings = { path: "/h/cli.json", problem: null };
    for (const mode of [null, 0o100600]) expect(judgeSettings({ ...settings, mode }).state).toBe("ok");
    expect(judgeSettings({ ...settings, mode: 0o100644 })).toMatchObject({
      state: "warn",
      message: expect.stringContaining("mode 644"),
      next: expect.stringContaining("chmod 600 /h/cli.json"),
    });
    expect(judgeSettings({ ...settings, mode: null, problem: "It is damaged." }).state).toBe("fail");
    expect([judgeSsh("OpenSSH_9.2"), judgeSsh(null)].map(({ state }) => state)).toEqual(["ok", "warn"]);
  });

  it("[N19] the agent of this machine: connected, away, not running, of another address", () => {
    const agent = { home: "/h/.nexus-agent", name: "gpu1", origin: "https://n.lab" };
    const connected = { pid: 7, state: "connected", problem: null };
    const state = (running: typeof connected | null, url: string | null) =>
      judgeAgent({ ...agent, running }, url).state;
    expect(state(connected, "https://n.lab")).toBe("ok");
    expect(state(connected, "http://127.0.0.1:54323")).toBe("ok");
    expect(state(connected, "https://other.lab")).toBe("warn");
    expect(state(null, null)).toBe("fail");
    const away = judgeAgent({ ...agent, running: { pid: 7, state: "waiting", problem: "No route." } }, null);
    expect(away).toMatchObject({
      state: "fail",
      message: expect.stringContaining("is not connected: No route."),
    });
  });

  it("[N19] the way to the server: slow, in plain text, a certificate that ends, no WebSockets, another server", () => {
    expect(judgeReach("http://127.0.0.1:1", probe({})).state).toBe("ok");
    expect(judgeReach("http://n.lab", probe({})).message).toContain("not encrypted");
    expect(judgeReach("https://n.lab", probe({ tookMs: 3_000 })).state).toBe("warn");
    const until = (days: number) =>
      judgeCertificate(probe({ certificateUntilMs: days * DAY_MS + 1 }), { isOwn: true, nowMs: 0 })[0]?.state;
    expect([until(100), until(3)]).toEqual(["ok", "warn"]);
    expect(judgeCertificate(probe({}), { isOwn: false, nowMs: 0 })).toEqual([]);
    const refused = '{"error":{"code":"unauthenticated","message":"A tunnel needs a key."}}';
    expect(judgeWebSocket(probe({ status: 401, body: refused })).state).toBe("ok");
    for (const wrong of [null, probe({ status: 404 }), probe({ status: 401, body: "<html>" })])
      expect(judgeWebSocket(wrong)).toMatchObject({
        state: "fail",
        message: expect.stringContaining("agents cannot"),
      });
    expect(judgeReadiness(probe({ body: '{"ready":true}' })).state).toBe("ok");
    const standby = judgeReadiness(
      probe({ status: 503, body: '{"ready":false,"message":"Another is active."}' }),
    );
    expect(standby).toMatchObject({ state: "fail", message: "Another is active." });
    for (const body of ["<html>", "[]", "null", '{"ready":1}'])
      expect(judgeReadiness(probe({ body })).message).toContain("not Nexus");
    expect(judgeVersion(probe({ body: '{"version":"0.1.0"}' }), "0.1.0").state).toBe("ok");
    for (const body of ['{"version":"0.2.0"}', "{}"])
      expect(judgeVersion(probe({ body }), "0.1.0").state).toBe("warn");
  });

  it("[N19] clocks that are apart are told with by how much, and which goes wrong; a second is none", () => {
    const clock = (serverMs: number) =>
      judgeClock({ askedAtMs: 1_000_000, hereAtMs: 1_000_200, serverMs, isCoarse: false });
    expect(clock(1_000_900)).toMatchObject({ state: "ok" });
    expect(clock(1_060_100).message).toContain("60 s ahead of");
    expect(clock(940_100)).toMatchObject({ state: "warn", message: expect.stringContaining("60 s behind") });
  });

  it("[N19] the server itself: its database, its disk, the code that encrypts SSH, an ssh of the system", () => {
    const health: OutputOf<"server.health"> = {
      version: "0.1.0",
      nodeVersion: "24.0.0",
      database: { version: "17.2", isEmbedded: true, sizeBytes: 5_000_000, tookMs: 2 },
      disk: { path: "/h", freeMib: 500_000, totalMib: 1_000_000 },
      ssh: { path: "node", hasFastCiphers: true, text: "ssh2 without its native addon", hasSystemSsh: true },
      nowMs: 0,
    };
    expect(judgeHealth(health).map(({ state }) => state)).toEqual(["ok", "ok", "ok", "ok"]);
    expect(judgeHealth(health)[2]?.message).toBe("ssh2 without its native addon");
    const bad = judgeHealth({
      ...health,
      database: { ...health.database, tookMs: 900 },
      disk: { path: "/h", freeMib: 100, totalMib: 1_000_000 },
      ssh: { ...health.ssh, hasFastCiphers: false, hasSystemSsh: false },
    });
    expect(bad.map(({ state }) => state)).toEqual(["warn", "warn", "warn", "warn"]);
    for (const { next } of bad) expect(next).toMatch(/\w{4}/);
    expect(judgeProblems([{ code: "disk_full", message: "The disk is full." }])[0]?.state).toBe("fail");
  });

  it("[N19] targets with troubles are named with what to do, twenty of them", () => {
    const states = (...targets: Target[]) => judgeFleet(targets, "0.1.0").map(({ state }) => state);
    expect(states()).toEqual(["warn"]);
    expect(states(target({}))).toEqual(["ok"]);
    expect(states(target({ state: "offline" }))).toEqual(["fail", "warn"]);
    expect(states(target({}), target({ state: "needs_update" }))).toEqual(["ok", "fail"]);
    const notice = { level: "warning", code: "disk_low", message: "Its disk is low.", atMs: 0 };
    expect(judgeFleet([target({ notice })], "0.1.0")[1]).toMatchObject({
      what: "gpu1",
      message: "Its disk is low.",
    });
    expect(states(target({ notice: { ...notice, level: "info" } }))).toEqual(["ok"]);
    expect(states(target({ facts: { agentVersion: "0.1.0", gpuProblem: "no driver" } }))).toEqual([
      "ok",
      "warn",
    ]);
    expect(states(target({ facts: { agentVersion: "0.0.9", gpuProblem: null } }))).toEqual(["ok", "warn"]);
    const agentless = { kind: "ssh", facts: { agentVersion: "none (over SSH)", gpuProblem: null } } as const;
    expect(states(target(agentless))).toEqual(["ok"]);
    const away = judgeFleet([target({ ...agentless, state: "unreachable" })], "0.1.0")[1];
    expect(away?.next).not.toContain("nexus-agent");
    const many = judgeFleet(
      [target({}), ...Array.from({ length: 30 }, () => target({ state: "unreachable" }))],
      "0.1.0",
    );
    expect(many).toHaveLength(22);
    expect(many.at(-1)?.message).toBe("10 more targets have troubles.");
  });
});
