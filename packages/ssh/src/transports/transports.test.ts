import { chmodSync, existsSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { startBudget } from "../connect-budget.ts";
import { createConnector, type SshTarget } from "../connect-target.ts";
import { connectSsh2 } from "../engine-ssh2/connect-ssh2.ts";
import { runRemote } from "../exec/run-remote.ts";
import { type HostKeyStore, memoryHostKeys } from "../host-keys/host-key-store.ts";
import { createHostKeyVerifier } from "../host-keys/host-key-verifier.ts";
import { METACHARACTERS } from "../testing/metacharacters.ts";
import { newTestKey } from "../testing/test-keys.ts";
import { trusting, withKey } from "../testing/test-session.ts";
import { startTestSshd, type TestSshd } from "../testing/test-sshd.ts";
import { targetOf, testConnector } from "../testing/test-target.ts";
import { describeTransport, type Transport } from "./transport.ts";
import {
  afterFailure,
  afterSuccess,
  chooseTransports,
  isHealthy,
  successRate,
  UNTRIED,
} from "./transport-health.ts";

let server: TestSshd;
let jumpServer: TestSshd;
beforeAll(async () => {
  server = await startTestSshd();
  jumpServer = await startTestSshd();
});
afterAll(async () => {
  await server.close();
  await jumpServer.close();
});

const nowhere: Transport = { kind: "direct", host: "127.0.0.1", port: 1 };
const direct = (): Transport => ({ kind: "direct", host: server.host, port: server.port });

/** A program that joins its stdin and stdout with a TCP port, as every proxy does. */
function bridge(): string {
  const script = `const s=require('net').connect(process.argv[1],'127.0.0.1');process.stdin.pipe(s).pipe(process.stdout);s.on('error',()=>{console.error('bridge is out');process.exit(3)})`;
  return `${process.execPath} -e "${script}"`;
}

async function check(target: SshTarget, env: Record<string, string | undefined> = {}) {
  const { connector } = testConnector(env);
  const connected = await connector.connect(target);
  onTestFinished(() => connected.session.close());
  expect((await runRemote(connected.session, { argv: ["echo", "there"] })).stdout.toString()).toBe("there\n");
  return connected;
}

describe("[H22] ways in the user's order", () => {
  test("[H22] the first that works is taken, the failed one is remembered", async () => {
    const target = await targetOf(server, { transports: [nowhere, direct()] });
    const { connector, clock } = testConnector();
    for (let round = 0; round < 3; round += 1) {
      const { session, transport } = await connector.connect(target);
      await session.close();
      expect(transport).toBe(describeTransport(direct()));
    }
    const [first, second] = connector.health(target);
    expect(first).toMatchObject({ consecutiveFailures: 3, failures: 3, nextTryAtMs: clock.nowMs + 30_000 });
    expect(first?.lastError).toMatch(/nothing listens/);
    expect(second).toMatchObject({ consecutiveFailures: 0, successes: 3, latencyMs: expect.any(Number) });
    const { session } = await connector.connect(target);
    await session.close();
    expect(connector.health(target)[0]?.failures).toBe(3);
    clock.nowMs += 30_000;
    const probed = await connector.connect(target);
    await probed.session.close();
    expect(connector.health(target)[0]?.failures).toBe(4);
  });

  test("[H22] when no way leads there all are named", async () => {
    const target = await targetOf(server, { transports: [nowhere, { ...nowhere, port: 2 }] });
    await expect(testConnector().connector.connect(target)).rejects.toThrow(
      /127.0.0.1:1: .*nothing listens[\s\S]*127.0.0.1:2: /,
    );
  });

  test("[H23] a wrong host key never falls through to the next way", async () => {
    const other = await startTestSshd({ hostKey: newTestKey("other") });
    onTestFinished(() => other.close());
    const wrong: Transport = { kind: "direct", host: other.host, port: other.port };
    const target = await targetOf(server, { transports: [wrong, direct()] });
    const before = server.connectionCount();
    const { connector } = testConnector();
    await expect(connector.connect(target)).rejects.toMatchObject({ failure: "host_key_changed" });
    expect(server.connectionCount()).toBe(before);
    expect(connector.health(target)[0]).toMatchObject({
      ...{ failures: 1, consecutiveFailures: 0, nextTryAtMs: 0 },
      lastError: expect.stringContaining("is not the one that is known"),
    });
  });

  test("[H23] a refused log-in never falls through to the next way", async () => {
    const keys = [{ label: "stranger", text: newTestKey().privateKey }];
    const other = { ...direct(), host: "localhost" } as Transport;
    const target = await targetOf(server, { transports: [direct(), other], credentials: { keys } });
    const before = server.connectionCount();
    await expect(testConnector().connector.connect(target)).rejects.toMatchObject({ failure: "auth_failed" });
    expect(server.connectionCount()).toBe(before + 1);
  });
});

describe("[H22] health", () => {
  const fail = (times: number, nowMs = 0) =>
    Array.from({ length: times }).reduce<typeof UNTRIED>(
      (health) => afterFailure(health, { error: "x", nowMs }),
      UNTRIED,
    );

  test("[H22] three failures in a row make a way unhealthy, one success heals it", () => {
    expect(isHealthy(fail(2))).toBe(true);
    expect(isHealthy(fail(3))).toBe(false);
    const healed = afterSuccess(fail(3), { latencyMs: 100, nowMs: 1 });
    expect(isHealthy(healed)).toBe(true);
    expect(successRate(healed)).toBe(0.25);
    expect(afterSuccess(healed, { latencyMs: 200, nowMs: 2 }).latencyMs).toBeCloseTo(130);
  });

  test("[H22] pauses double from 30 s up to half an hour", () => {
    expect([3, 4, 5, 20].map((times) => fail(times).nextTryAtMs)).toEqual([
      30_000, 60_000, 120_000, 1_800_000,
    ]);
  });

  test("[H22] an unhealthy way is probed by one attempt at a time, and used when nothing else is left", () => {
    const records = new Map([
      ["a", { health: fail(3, 1000), isBeingProbed: false }],
      ["b", { health: UNTRIED, isBeingProbed: false }],
    ]);
    const choose = (nowMs: number) =>
      chooseTransports(
        ["a", "b"],
        (way) => records.get(way) ?? { health: UNTRIED, isBeingProbed: false },
        nowMs,
      );
    expect(choose(30_999)).toEqual(["b"]);
    expect(choose(31_000)).toEqual(["a", "b"]);
    records.set("a", { health: fail(3, 1000), isBeingProbed: true });
    expect(choose(31_000)).toEqual(["b"]);
    records.set("b", { health: fail(4, 1000), isBeingProbed: false });
    expect(choose(2000)).toEqual(["a", "b"]);
  });
});

describe("[H24] programs that carry", () => {
  test("[H24] a proxy command carries the session and ends with it", async () => {
    const pidFile = join(server.folder, "proxy-pid");
    const command = `sh -c 'echo $$ >${pidFile}; exec "$@"' sh ${bridge()} ${server.port}`;
    const target = await targetOf(server, { transports: [{ kind: "proxy_command", command }] });
    const { session } = await check(target);
    const pid = Number(readFileSync(pidFile, "utf8"));
    expect(existsSync(`/proc/${pid}`)).toBe(true);
    await session.close();
    await expect.poll(() => existsSync(`/proc/${pid}`)).toBe(false);
  });

  test("[H24] a proxy that fails is explained by its own words and exit code", async () => {
    const failing = `${bridge()} 1`;
    const target = await targetOf(server, { transports: [{ kind: "proxy_command", command: failing }] });
    await expect(testConnector().connector.connect(target)).rejects.toThrow(/sh ended with 3: bridge is out/);
    const missing = await targetOf(server, {
      transports: [{ kind: "cloudflare", hostname: "gpu1" }],
    });
    await expect(testConnector({ PATH: "/nonexistent" }).connector.connect(missing)).rejects.toThrow(
      /cloudflared is not installed on the machine that connects/,
    );
  });

  test("[H24] so is one that ends while it is looked up which host keys are known", async () => {
    const stream = new PassThrough();
    const store: HostKeyStore = {
      ...memoryHostKeys(),
      async read() {
        const closed = new Promise((resolve) => stream.once("close", resolve));
        stream.destroy(new Error("Premature close"));
        await closed;
        return { pinned: [], revoked: [] };
      },
    };
    const verifier = createHostKeyVerifier({ name: "far", store, by: "test" });
    const carrier = { stream, explain: async () => "sh ended with 4: no tunnel" };
    const budget = startBudget(10_000);
    onTestFinished(() => budget.end());
    await expect(
      connectSsh2(carrier, { user: "ada", credentials: {}, verifier, budget }),
    ).rejects.toMatchObject({
      failure: "unreachable",
      message: "No SSH with far: it ended before an SSH server greeted: sh ended with 4: no tunnel",
    });
  });

  test("[H24] a proxy that hangs costs the budget and is ended", async () => {
    const pidFile = join(server.folder, "hanging-pid");
    const command = `sh -c 'echo $$ >${pidFile}; exec sleep 600'`;
    const target = await targetOf(server, {
      transports: [{ kind: "proxy_command", command }],
      connectTimeoutMs: 400,
    });
    await expect(testConnector().connector.connect(target)).rejects.toMatchObject({ failure: "timed_out" });
    const pid = Number(readFileSync(pidFile, "utf8"));
    await expect.poll(() => existsSync(`/proc/${pid}`)).toBe(false);
  });

  test("[H25] a Cloudflare service token is in the environment of the carrier, and on no command line", async () => {
    // Stands in for cloudflared, which has no counterpart on loopback: it notes how it was called and carries.
    const stub = join(server.folder, "cloudflared");
    const seen = join(server.folder, "seen");
    writeFileSync(
      stub,
      `#!/bin/sh\nprintf '%s\\n' "$@" >${seen}\ntr '\\0' ' ' </proc/$$/cmdline >>${seen}\necho >>${seen}\nenv | grep ^TUNNEL_ | sort >>${seen}\nexec ${bridge()} ${server.port}\n`,
    );
    chmodSync(stub, 0o755);
    const connector = createConnector({
      programs: { env: { PATH: process.env.PATH }, cloudflaredPath: stub },
      nowMs: () => 0,
    });
    const transport: Transport = {
      kind: "cloudflare",
      hostname: "ssh.example.com",
      serviceToken: { id: "token-id.access", secret: "token-secret" },
    };
    const { session } = await connector.connect(await targetOf(server, { transports: [transport] }));
    await session.close();
    const [a, b, c, d, cmdline, id, secret] = readFileSync(seen, "utf8").split("\n");
    expect([a, b, c, d]).toEqual(["access", "ssh", "--hostname", "ssh.example.com"]);
    expect(cmdline).not.toMatch(/token/);
    expect([id, secret]).toEqual([
      "TUNNEL_SERVICE_TOKEN_ID=token-id.access",
      "TUNNEL_SERVICE_TOKEN_SECRET=token-secret",
    ]);
    expect(describeTransport(transport)).not.toMatch(/token/);
  });

  test("[H13] hosts that could be options or commands reach no program", async () => {
    for (const nasty of METACHARACTERS) {
      for (const transport of [
        { kind: "direct", host: nasty, port: 22 },
        { kind: "tailscale", host: nasty, port: 22 },
        { kind: "cloudflare", hostname: nasty },
      ] as Transport[]) {
        const target = await targetOf(server, { transports: [transport] });
        await expect(testConnector().connector.connect(target)).rejects.toMatchObject({
          failure: "config_invalid",
        });
      }
    }
  });
});

describe("[H45] Tailscale", () => {
  /** Stands in for the program, which has no tailnet on loopback: it answers as the real one does, notes its words, and carries. */
  function tailscale(status: string, exitCode = 0) {
    const folder = mkdtempSync(join(server.folder, "tailscale-"));
    const [program, calls] = [join(folder, "tailscale"), join(folder, "calls")];
    writeFileSync(join(folder, "status.json"), status);
    writeFileSync(
      program,
      `#!/bin/sh\necho "$*" >>${calls}\ncase $1 in status) cat ${folder}/status.json; exit ${exitCode} ;; nc) exec ${bridge()} "$3" ;; esac\n`,
    );
    chmodSync(program, 0o755);
    const programs = { env: { PATH: process.env.PATH }, tailscalePath: program };
    return {
      connector: createConnector({ programs, nowMs: () => 0 }),
      calls: () => readFileSync(calls, "utf8").trim().split("\n"),
    };
  }
  const statusOf = (edit: Record<string, unknown>) =>
    JSON.stringify({
      Version: "1.86.2",
      TUN: true,
      BackendState: "Running",
      Self: null,
      Peer: null,
      ...edit,
    });
  const overTailscale = (): Transport => ({ kind: "tailscale", host: server.host, port: server.port });
  const viaEither = () => targetOf(server, { transports: [overTailscale(), direct()] });

  test.each([
    ["is dialled where there is a network device", true, 1],
    ["goes through the daemon where there is none", false, 2],
  ])("[H45] an address of the tailnet %s", async (_what, TUN, callCount) => {
    const { connector, calls } = tailscale(statusOf({ TUN }));
    const { session, transport, failed } = await connector.connect(await viaEither());
    await session.close();
    expect([transport, failed]).toEqual([describeTransport(overTailscale()), []]);
    expect(calls()).toEqual(
      ["status --json --peers=false", `nc ${server.host} ${server.port}`].slice(0, callCount),
    );
  });

  test.each([
    ["is stopped", statusOf({ BackendState: "Stopped" }), /is not up .* \(Stopped\).*tailscale up/],
    ["waits for a log-in", statusOf({ BackendState: "NeedsLogin" }), /\(NeedsLogin\)/],
    ["says nothing that can be read", "failed to connect to local tailscaled", /does not tell its status/],
  ])("[H45] the next way is taken where it %s", async (_what, status, why) => {
    const { connector } = tailscale(status, 1);
    const { session, transport, failed } = await connector.connect(await viaEither());
    await session.close();
    expect(transport).toBe(describeTransport(direct()));
    expect(failed).toEqual([
      { transport: describeTransport(overTailscale()), error: expect.stringMatching(why) },
    ]);
  });

  test("[H45] and where it is not installed", async () => {
    const { failed, session } = await testConnector({ PATH: "/nonexistent" }).connector.connect(
      await viaEither(),
    );
    await session.close();
    expect(failed[0]?.error).toBe("Tailscale is not installed on the machine that connects.");
  });
});

describe("[H26] jump hosts", () => {
  const hopOf = async (hop: TestSshd) => ({
    host: hop.host,
    port: hop.port,
    user: hop.user,
    credentials: withKey(hop),
    verifier: await trusting(hop),
  });

  test("[H26] a chain of two hops leads to the target, and ends with it", async () => {
    const second = await startTestSshd();
    onTestFinished(() => second.close());
    const hops = [await hopOf(jumpServer), await hopOf(second)];
    const jump: Transport = { kind: "jump", hops, host: server.host, port: server.port };
    const { session } = await check(await targetOf(server, { transports: [jump] }));
    await session.close();
    await expect.poll(() => second.log()).toMatch(/Disconnected from user/);
  });

  test("[H26] the host key of every hop is verified, and of the target behind it", async () => {
    const hop = await hopOf(jumpServer);
    const wrong = { ...jumpServer, hostKey: newTestKey().publicKey };
    const jump = (verifier: typeof hop.verifier): Transport => ({
      kind: "jump",
      hops: [{ ...hop, verifier }],
      host: server.host,
      port: server.port,
    });
    const before = server.connectionCount();
    const first = await targetOf(server, { transports: [jump(await trusting(wrong))] });
    await expect(testConnector().connector.connect(first)).rejects.toMatchObject({
      failure: "host_key_changed",
    });
    expect(server.connectionCount()).toBe(before);
    const behind = await targetOf(server, {
      transports: [jump(hop.verifier)],
      verifier: await trusting({ ...server, hostKey: newTestKey().publicKey }),
    });
    await expect(testConnector().connector.connect(behind)).rejects.toMatchObject({
      failure: "host_key_changed",
    });
  });

  test("[H26] a hop that does not reach the target says so", async () => {
    const free = createServer();
    await new Promise<void>((resolve) => free.listen(0, "127.0.0.1", resolve));
    const address = free.address();
    const port = typeof address === "object" && address ? address.port : 1;
    await new Promise((resolve) => free.close(resolve));
    const jump: Transport = { kind: "jump", hops: [await hopOf(jumpServer)], host: "127.0.0.1", port };
    const target = await targetOf(server, { transports: [jump] });
    await expect(testConnector().connector.connect(target)).rejects.toThrow(
      /jump host 127.0.0.1 does not reach/,
    );
  });
});
