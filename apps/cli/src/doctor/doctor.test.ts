import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Target } from "@nexus/shared/api/schemas";
import { NexusError } from "@nexus/shared/errors";
import { afterEach, beforeEach, expect, it } from "vitest";
import { startCli, tempHome } from "../testing/run-cli.ts";
import { type StandIn, startStandIn } from "../testing/stand-in-server.ts";
import type { Finding } from "./finding.ts";

let server: StandIn;
let home: ReturnType<typeof tempHome>;
beforeEach(async () => {
  server = await startStandIn();
  home = tempHome();
});
afterEach(async () => {
  await server.close();
  home.remove();
});

async function doctor(env: Record<string, string>, ...args: string[]) {
  const cli = startCli(["doctor", ...args], { home: home.home, env: { HOME: home.home, ...env } });
  const code = await cli.exit;
  return { code, out: Buffer.from(cli.stdout(), "latin1").toString(), err: cli.stderr() };
}
const signedIn = () => ({ NEXUS_URL: server.url, NEXUS_API_KEY: "nxk_test" });

/** Only what needs no key. */
function serves(ready: { status: number; body: object }): void {
  server.instead = (req, res) => {
    const json = { "content-type": "application/json" };
    if (req.url === "/readyz") res.writeHead(ready.status, json).end(JSON.stringify(ready.body));
    else if (req.url === "/api/v1/version") res.writeHead(200, json).end('{"version":"0.1.0"}');
    else res.writeHead(404, json).end("{}");
  };
}

it("[N19] without a server, without a key and while the control plane is away it tells what can be told, and what to do", async () => {
  const nothing = await doctor({});
  expect([nothing.code, nothing.err]).toEqual([0, ""]);
  expect(nothing.out).toMatch(
    /This machine\n {2}✓ Node\.js .*This machine knows no Nexus server.*nexus login/s,
  );

  const away = await doctor({ NEXUS_URL: "http://127.0.0.1:9" });
  expect(away.code).toBe(1);
  expect(away.out).toMatch(/✗ Address .*nothing listens there.*→ .*npm run up.*1 thing does not work\./s);

  serves({ status: 503, body: { ready: false, message: "Another control plane is active since 10:00." } });
  const standby = await doctor({ NEXUS_URL: server.url });
  expect(standby.code).toBe(1);
  expect(standby.out).toMatch(
    /✗ Ready +Another control plane is active.*! Signed in +You are not signed in there/s,
  );
  expect(server.requests.filter(({ authorization }) => authorization !== undefined)).toEqual([]);

  server.instead = (_req, res) => res.end("<html>hello</html>");
  expect((await doctor({ NEXUS_URL: server.url })).out).toContain(
    "What answers there is not Nexus (HTTP 200).",
  );
});

it("[N19] a key that does not count, a proxy that takes no WebSockets and damaged settings are each named", async () => {
  server.answers = {
    "me.get": () => {
      throw new NexusError("unauthenticated", { detail: "This key was revoked." });
    },
  };
  const { code, out } = await doctor(signedIn());
  expect(code).toBe(1);
  expect(out).toMatch(/✗ WebSocket +Does not pass \(HTTP \d+\).*✗ Signed in +This key was revoked\./s);
  writeFileSync(join(home.home, "cli.json"), "{");
  expect((await doctor({})).out).toMatch(/✗ Settings +.*cli\.json is damaged.*✗ Address/s);
});

it("[N19] no line is longer than 80 columns, whatever names and troubles are called, and nothing in them is obeyed", async () => {
  mkdirSync(join(home.home, "agent"));
  const name = `gpu-\u001b[31m-${"long".repeat(20)}`;
  writeFileSync(join(home.home, "agent/identity.json"), JSON.stringify({ name, origin: server.url }));
  writeFileSync(join(home.home, "cli.json"), JSON.stringify({ servers: {} }));
  chmodSync(join(home.home, "cli.json"), 0o644);
  const { out } = await doctor({ NEXUS_URL: `http://${"n".repeat(60)}.invalid` });
  for (const line of out.split("\n")) expect(line.length).toBeLessThanOrEqual(80);
  expect(out).not.toContain("\u001b");
  expect(out).toMatch(/✗ Agent .*its agent does not/s);
});

it("[N19] --json is one document with each finding, and an older server that knows less is no failure", async () => {
  server.answers = {
    "me.get": () => ({
      user: { id: "u_1", name: "Ada", email: "ada@example.com" },
      team: { id: "tm_1", name: "Lab" },
      role: "member",
      teams: [],
      server: { version: "0.1.0", url: server.url, fingerprint: "x" },
    }),
    "server.health": () => {
      throw new NexusError("not_found");
    },
    "fleet.list": () => ({ targets: [{ name: "gpu1", state: "offline" } as Target], problems: [], nowMs: 0 }),
  };
  const { code, out } = await doctor(signedIn(), "--json");
  const { ok, url, findings } = JSON.parse(out) as { ok: boolean; url: string; findings: Finding[] };
  expect([code, ok, url]).toEqual([1, false, server.url]);
  expect(findings.find(({ what }) => what === "Signed in")?.message).toBe("As Ada, member of Lab");
  expect(findings.find(({ what }) => what === "gpu1")).toMatchObject({ where: "fleet", state: "warn" });
  for (const { state, next } of findings) expect(next === null).toBe(state === "ok");
});
