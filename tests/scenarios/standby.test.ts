import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createDb } from "../../apps/web/src/server/db/client.ts";
import {
  findServerPrograms,
  startTcpPostgres,
} from "../../apps/web/src/server/db/testing/test-tcp-postgres.ts";
import { Child } from "../harness/child.ts";
import { type Forwarder, startForwarder } from "../harness/forwarder.ts";
import { freePort } from "../harness/free-port.ts";
import { cleanEnv, Nexus, SERVER } from "../harness/nexus.ts";
import { until } from "../harness/until.ts";

const LINES = 400;
const script = `i=0; while [ $i -lt ${LINES} ]; do i=$((i+1)); echo "line $i of the log"; sleep 0.01; done; exit 42`;
const wholeLog = Array.from({ length: LINES }, (_, index) => `line ${index + 1} of the log\n`).join("");

describe("two control planes on one Postgres, reached at one address", () => {
  let postgres: { url: string; stop(): Promise<void> };
  let forwarder: Forwarder;
  let nexus: Nexus;
  let other: Child;
  let otherUrl: string;
  let frozenPort: number;
  let otherHome: string;

  beforeEach(async () => {
    const [program] = await findServerPrograms();
    postgres = await startTcpPostgres(program?.binDir ?? "");
    const ports = [await freePort(), await freePort()] as const;
    forwarder = await startForwarder(ports);
    frozenPort = ports[0];
    const publicUrl = `http://127.0.0.1:${forwarder.port}`;
    const env = { DATABASE_URL: postgres.url, NEXUS_PUBLIC_URL: publicUrl };
    nexus = await Nexus.start({ ...env, NEXUS_PORT: String(ports[0]) });
    otherUrl = `http://127.0.0.1:${ports[1]}`;
    otherHome = await mkdtemp(join(tmpdir(), "nexus-standby-"));
    startOther = (home, extra = {}) =>
      new Child([process.execPath, SERVER], {
        env: cleanEnv({ ...env, NEXUS_HOME: home, NEXUS_PORT: String(ports[1]), ...extra }),
      });
  });
  afterEach(async () => {
    await other?.kill("SIGTERM");
    await nexus?.dispose();
    await forwarder?.close();
    await postgres?.stop();
    await rm(otherHome, { recursive: true, force: true });
  });
  let startOther: (home: string, extra?: Record<string, string>) => Child;

  it.each(["the home of the active one", "a home of its own"])(
    "[W15] the active one dies by kill -9 in mid-job: one on %s takes over, and the job is whole",
    async (where) => {
      const masterKey = (await readFile(join(nexus.home, "master.key"), "utf8")).trim();
      const isShared = where === "the home of the active one";
      other = isShared ? startOther(nexus.home) : startOther(otherHome, { NEXUS_MASTER_KEY: masterKey });
      await other.says("stands by and takes over");
      const agent = await nexus.addAgent({ name: "node" });
      const job = await nexus.submit({ command: ["sh", "-c", script], gpus: 0 });
      await until("the log has begun", async () => (await nexus.job(job.id)).logBytes > 200);

      await nexus.server.kill("SIGKILL");
      await other.says("took over: this control plane is the active one");
      await until("it is ready", async () => (await fetch(`${otherUrl}/readyz`)).ok);

      expect(await nexus.ended(job.id)).toMatchObject({ state: "failed", exitCode: 42, attemptNumber: 1 });
      expect((await nexus.log(job.id)).toString()).toBe(wholeLog);
      await nexus.targetConnected("node");
      const next = await nexus.submit({ command: ["echo", "on"], gpus: 0 });
      expect(await nexus.ended(next.id)).toMatchObject({ state: "succeeded" });
      expect(agent.child.isRunning).toBe(true);
    },
  );

  it("[O43] one that froze while another took over stands by when it goes on, and what it still tries is not committed", async () => {
    const masterKey = (await readFile(join(nexus.home, "master.key"), "utf8")).trim();
    other = startOther(otherHome, { NEXUS_MASTER_KEY: masterKey });
    await other.says("stands by and takes over");
    const frozenUrl = `http://127.0.0.1:${frozenPort}`;
    nexus.server.process.kill("SIGSTOP");
    await endSessions(postgres.url);
    await other.says("took over: this control plane is the active one");
    // It waits in the frozen one's socket until that goes on.
    const late = fetch(`${frozenUrl}/api/trpc/jobs.submit`, {
      method: "POST",
      headers: { authorization: `Bearer ${nexus.apiKey}`, "content-type": "application/json" },
      body: JSON.stringify({ jobs: [{ command: ["true"], gpus: 0 }] }),
    }).then((response) => response.status);
    nexus.server.process.kill("SIGCONT");
    expect(await late).toBe(503);
    const ready = await until("it stands by", async () => {
      const response = await fetch(`${frozenUrl}/readyz`);
      const text = await response.text();
      return response.status === 503 && text.includes("stands by") && text;
    });
    expect(ready).toContain("Another control plane is active on this database");
    const jobs = await fetch(`${otherUrl}/api/trpc/jobs.list?input=%7B%7D`, {
      headers: { authorization: `Bearer ${nexus.apiKey}` },
    });
    expect(await jobs.json()).toMatchObject({ result: { data: { jobs: [] } } });
  });

  it("[O41] one that stands by says so to everyone and holds no agent", async () => {
    other = startOther(nexus.home);
    await other.says("stands by and takes over");
    expect((await fetch(`${otherUrl}/healthz`)).status).toBe(200);
    const ready = await fetch(`${otherUrl}/readyz`);
    expect([ready.status, await ready.json()]).toEqual([
      503,
      { ready: false, message: expect.stringContaining("Another control plane is active on this database") },
    ]);
    const page = await fetch(`${otherUrl}/jobs`, { headers: { accept: "text/html" } });
    expect([page.status, await page.text()]).toEqual([503, expect.stringContaining(nexus.url)]);
    const call = await fetch(`${otherUrl}/api/trpc/fleet.list`, {
      headers: { authorization: `Bearer ${nexus.apiKey}` },
    });
    expect([call.status, await call.json()]).toEqual([
      503,
      { error: expect.objectContaining({ message: expect.stringContaining(nexus.url) }) },
    ]);
    expect(await other.kill("SIGTERM")).toBe(0);
  });

  it("[O45] what `npm run up` starts on a database in use names the one that uses it, and ends", async () => {
    other = startOther(otherHome, { NEXUS_UP: "1" });
    expect(await other.exit()).toBe(65);
    expect(other.stderr).toContain(`Another control plane is active on this database: ${nexus.url}`);
  });

  it("[O44] another master key is told at the start, not at the takeover", async () => {
    other = startOther(otherHome);
    expect(await other.exit()).toBe(65);
    expect(other.stderr).toContain("sealed with another master key");
  });
});

/** As a network does that was cut: Postgres gives up the sessions of a peer that does not answer. */
async function endSessions(url: string): Promise<void> {
  const client = createDb({ url });
  await client.sql`select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'nexus' and pid <> pg_backend_pid()`;
  await client.close();
}
