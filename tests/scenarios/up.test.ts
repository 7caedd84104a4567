import { execFileSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Child } from "../harness/child.ts";
import { freePort } from "../harness/free-port.ts";
import { AGENT, CLI, cleanEnv, root, SERVER } from "../harness/nexus.ts";
import { until } from "../harness/until.ts";

const PROGRAMS = [relative(root, SERVER), relative(root, AGENT)];

describe("npm run up", () => {
  let home: string;
  let port: string;
  let up: Child;
  // What `npm run up` does after its build, which the tests' own run has made: a build under way would spoil the others.
  const start = () =>
    new Child([process.execPath, "tools/up/testing/up-program.ts", root, ...PROGRAMS], {
      cwd: root,
      env: cleanEnv({ NEXUS_HOME: home, NEXUS_PORT: port }),
    });
  const nexus = (...args: string[]) =>
    new Child([process.execPath, CLI, ...args], { env: cleanEnv({ NEXUS_HOME: home }) });
  const works = () =>
    until("a job runs", async () => {
      const run = nexus("run", "--", "echo", "it works");
      return (await run.exit()) === 0 && run.stdout.includes("it works");
    });

  beforeAll(async () => {
    home = await mkdtemp(join(tmpdir(), "nexus-up-"));
    // Its agent knows the control plane by this port, so it stays the same over the starts.
    port = String(await freePort());
    up = start();
    await up.says("Nexus is up");
  });
  afterAll(async () => {
    await up.kill("SIGINT");
    await rm(home, { recursive: true, force: true });
  });

  it("[W14] a second one on the same home says who holds it, and its new link signs in once", async () => {
    const second = start();
    expect(await second.exit()).toBe(75);
    expect(second.stdout).toMatch(/Nexus is up already: process \d+ holds this home/);
    const url = `http://127.0.0.1:${port}`;
    const link = /#link=(\S+)/.exec(second.stdout)?.[1];
    expect(second.stdout).toContain(`  Sign in     ${url}/sign-in#link=${link}\n`);
    expect(up.stdout).not.toContain(link);
    const open = () =>
      fetch(`${url}/api/auth/link`, {
        method: "POST",
        headers: { "content-type": "application/json", origin: url },
        body: JSON.stringify({ link }),
      });
    const opened = await open();
    expect([opened.status, opened.headers.getSetCookie().length > 0]).toEqual([200, true]);
    expect((await open()).status).toBe(401);
  });

  it("[W14] a job goes on through an orderly stop and through kill -9 of everything, and its log is whole", async () => {
    await works();
    const gate = join(home, "gate");
    const script = `echo begin; while [ ! -e ${gate} ]; do sleep 0.05; done; echo end; exit 5`;
    const added = nexus("add", "--json", "--", "sh", "-c", script);
    expect(await added.exit()).toBe(0);
    const id = /j_[0-9a-z]{10}/.exec(added.stdout)?.[0] ?? "";
    await until("it runs", async () => {
      const get = nexus("get", id);
      await get.exit();
      return get.stdout.includes("running");
    });

    expect(await up.kill("SIGINT")).toBe(0);
    up = start();
    await up.says("Nexus is up");
    killAllOf(home);
    await up.exit();
    up = start();
    await up.says("Nexus is up");
    await writeFile(gate, "");

    await until("it ended", async () => {
      const get = nexus("get", id);
      await get.exit();
      return get.stdout.includes("failed");
    });
    const logs = nexus("logs", id);
    await logs.exit();
    expect(logs.stdout).toBe("begin\nend\n");
    expect(await nexus("logs", "-f", id).exit()).toBe(0);
    const get = nexus("get", id);
    await get.exit();
    expect(get.stdout).toMatch(/exit\s+5/);
  });
});

/** Every process that `up` started for this home, but not the jobs: what a crashing machine's operator would kill. */
function killAllOf(home: string): void {
  const table = execFileSync("ps", ["-eo", "pid=,args="], { encoding: "utf8" });
  const isOurs = (pid: string, args: string) =>
    /tools\/up|tools\/bootstrap|dist\/server\.js|dist\/nexus-agent\.js/.test(args) &&
    environmentOf(pid).includes(home);
  for (const line of table.split("\n")) {
    const [, pid, args] = /^\s*(\d+)\s+(.*)$/.exec(line) ?? [];
    if (pid !== undefined && args !== undefined && isOurs(pid, args)) process.kill(Number(pid), "SIGKILL");
  }
}

function environmentOf(pid: string): string {
  try {
    return execFileSync("tr", ["\\0", "\\n"], {
      input: execFileSync("cat", [`/proc/${pid}/environ`]),
      encoding: "utf8",
    });
  } catch {
    return "";
  }
}
