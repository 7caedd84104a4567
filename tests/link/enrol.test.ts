import { mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { newKeyPair } from "@nexus/shared/crypto/ed25519";
import { keyPin } from "@nexus/shared/crypto/fingerprint";
import { decodeEnrollToken, encodeEnrollToken } from "@nexus/shared/protocol/enroll-token";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import {
  startTestControlPlane,
  type TestControlPlane,
} from "../../apps/web/src/server/gateway/testing/test-control-plane.ts";
import { loadOrCreateTls } from "../../apps/web/src/server/http/tls.ts";
import { createTestAgent, enrolledAgent, type TestAgent } from "./link-fixture.ts";

let plane: TestControlPlane;
const agents: TestAgent[] = [];

beforeAll(async () => {
  plane = await startTestControlPlane();
});
afterAll(() => plane.close());
afterEach(async () => {
  for (const agent of agents.splice(0)) await agent.dispose();
});

async function newAgent(): Promise<TestAgent> {
  const agent = await createTestAgent();
  agents.push(agent);
  return agent;
}

async function enrol(agent: TestAgent, token: string, args: string[] = []) {
  const child = agent.command(["enroll", "-", "--yes", "--allow-root", ...args], { input: token });
  return { code: await child.exit(), output: child.stdout + child.stderr };
}

describe("nexus-agent enroll", () => {
  it("[E17] shows what it is about to join, then says what to run next; the key stays here, private", async () => {
    const agent = await newAgent();
    const { secret } = await plane.token({ name: "first" });
    const { code, output } = await enrol(agent, `  ${secret}\n`);
    expect(code).toBe(0);
    expect(output).toContain(plane.origin);
    expect(output).toContain(`SHA256:${plane.ctx.identity.pin}`);
    expect(output).toMatch(/GPUs +none/);
    expect(output).toMatch(/Enrolled as first \(t_\w+\) in Lab/);
    expect(output).toContain("install-service");
    expect((await stat(agent.home)).mode & 0o777).toBe(0o700);
    expect((await stat(join(agent.home, "identity.json"))).mode & 0o777).toBe(0o600);
    expect(await readdir(agent.home)).toEqual(["generation", "identity.json"]);
    const { seed } = JSON.parse(await readFile(join(agent.home, "identity.json"), "utf8"));
    expect(output).not.toContain(seed);
    expect(output).not.toContain(decodeEnrollToken(secret).seed);
  });

  it("[E17] the token comes as an argument, from standard input or from the environment", async () => {
    const { secret } = await plane.token({ usesMax: 2 });
    const [byArgument, byEnvironment] = [await newAgent(), await newAgent()];
    expect(await byArgument.command(["enroll", secret, "--yes", "--allow-root"]).exit()).toBe(0);
    const env = { NEXUS_ENROLL_TOKEN: secret };
    expect(await byEnvironment.command(["enroll", "--yes", "--allow-root"], { env }).exit()).toBe(0);
    const none = (await newAgent()).command(["enroll", "--allow-root"]);
    expect(await none.exit()).toBe(64);
    expect(none.stderr).toContain("Enrol page");
  });

  it("[E18] every kind of dead token has its own sentence and exit code", async () => {
    const agent = await newAgent();
    const { secret: used } = await plane.token();
    expect((await enrol(await newAgent(), used)).code).toBe(0);
    const { secret: revoked, enrollToken } = await plane.token();
    await plane.enrollment.revokeEnrollToken(plane.principal, { id: enrollToken.id });
    const { secret: good } = await plane.token();
    const cases: [string, number, RegExp][] = [
      [used, 77, /used up/],
      [revoked, 77, /was revoked/],
      [good.slice(0, -3), 65, /damaged/],
      [good.replace(/.$/, (last) => (last === "A" ? "B" : "A")), 65, /damaged/],
      [encodeEnrollToken({ ...decodeEnrollToken(good), tokenId: "et_zzzzzzzzzz" }), 77, /never gave out/],
      ["hello", 65, /begins with nxe1_/],
    ];
    for (const [token, exitCode, sentence] of cases) {
      const { code, output } = await enrol(agent, token);
      expect({ code, output }).toEqual({ code: exitCode, output: expect.stringMatching(sentence) });
    }
    expect((await enrol(agent, good)).code).toBe(0);
  });

  it("[E19] a server with another identity than the pinned one learns the token's id and a nonce, nothing else", async () => {
    const { secret } = await plane.token();
    const wrong = encodeEnrollToken({
      ...decodeEnrollToken(secret),
      identityPin: keyPin(newKeyPair().publicKey),
    });
    const before = plane.requests.length;
    const { code, output } = await enrol(await newAgent(), wrong);
    expect(code).toBe(77);
    expect(output).toMatch(/pins SHA256:.*Nothing was told/);
    expect(plane.requests.slice(before)).toEqual([expect.stringMatching(/^GET \/api\/enroll\/challenge/)]);
  });

  it("[E20] with a wrong pin of the certificate no request reaches the server; with the right one a self-signed will do", async () => {
    const folder = await mkdtemp(join(tmpdir(), "nexus-tls-"));
    const tls = await loadOrCreateTls(folder, ["127.0.0.1"]);
    const secure = await startTestControlPlane({ tls });
    try {
      const { secret } = await secure.token({ usesMax: 2 });
      const parts = decodeEnrollToken(secret);
      expect(parts.spkiPin).toBe(tls.spkiPin);
      const wrongPin = encodeEnrollToken({ ...parts, spkiPin: parts.identityPin });
      const wrong = await enrol(await newAgent(), wrongPin);
      expect(wrong.code).toBe(77);
      expect(wrong.output).toMatch(/certificate of .* was pinned. Nothing was sent/);
      const unpinned = await enrol(await newAgent(), encodeEnrollToken({ ...parts, spkiPin: null }));
      expect(unpinned.code).toBe(69);
      expect(unpinned.output).toContain("self-signed and not pinned");
      expect(secure.requests).toEqual([]);

      const agent = await newAgent();
      expect((await enrol(agent, secret)).code).toBe(0);
      const running = agent.command(["run", "--allow-root"]);
      await running.says("connected to https://");
      await running.kill("SIGTERM");
    } finally {
      await secure.close();
      await rm(folder, { recursive: true, force: true });
    }
  });

  it("[E4] plain http is refused for any other machine, before anything is sent", async () => {
    const { secret } = await plane.token();
    const elsewhere = encodeEnrollToken({ ...decodeEnrollToken(secret), origin: "http://nexus.example.org" });
    const { code, output } = await enrol(await newAgent(), elsewhere);
    expect(code).toBe(77);
    expect(output).toContain("plain http");
  });

  it("[E9] an enrolment whose answer got lost is made good by the same command with the same token", async () => {
    const agent = await newAgent();
    const { secret, enrollToken } = await plane.token();
    const cutAnswer = plane.cutNextAnswer();
    const first = await enrol(agent, secret);
    await cutAnswer;
    expect(first.code).toBe(69);
    const second = await enrol(agent, secret);
    expect(second.code).toBe(0);
    const tokens = await plane.enrollment.listEnrollTokens(plane.principal);
    const listed = tokens.find((one) => one.id === enrollToken.id);
    expect(listed).toMatchObject({ uses: 1, targets: [{ id: expect.any(String) }] });
    expect(second.output).toContain(listed?.targets[0]?.id);
  });

  it("[E21] an identity is replaced only with --force, and root is refused without being told", async () => {
    const agent = await enrolledAgent(plane);
    agents.push(agent);
    const { secret } = await plane.token();
    const again = await enrol(agent, secret);
    expect(again.code).toBe(75);
    expect(again.output).toMatch(/enrolled already.*--force/);
    expect((await enrol(agent, secret, ["--force"])).code).toBe(0);
    if (process.getuid?.() === 0) {
      const asRoot = agent.command(["run"]);
      expect(await asRoot.exit()).toBe(77);
      expect(asRoot.stderr).toContain("--allow-root");
    }
  });

  it("[E22] a server that cannot be reached is told apart by why, and takes nothing from the identity", async () => {
    const agent = await newAgent();
    const { secret } = await plane.token();
    const parts = decodeEnrollToken(secret);
    const cases: [string, RegExp][] = [
      ["http://127.0.0.1:1", /connection refused/],
      ["https://nexus.invalid", /name is not known|cannot be looked up/],
    ];
    for (const [origin, sentence] of cases) {
      const { code, output } = await enrol(agent, encodeEnrollToken({ ...parts, origin }));
      expect({ code, output }).toEqual({ code: 69, output: expect.stringMatching(sentence) });
    }
  });
});
