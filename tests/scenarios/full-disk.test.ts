import {
  chmodSync,
  closeSync,
  openSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { explainReason } from "@nexus/shared/scheduler/reason";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { canMount, mountDisk, type SmallDisk } from "../../apps/web/src/server/logs/testing/small-disk.ts";
import { Nexus, type NexusAgent } from "../harness/nexus.ts";
import { until } from "../harness/until.ts";

// tidy-allow skip: mounts disks, for which a machine must let its user be root
describe.skipIf(!canMount())("a disk that is full", () => {
  let nexus: Nexus;
  let agent: NexusAgent;
  let nodeDisk: SmallDisk;
  let logDisk: SmallDisk;
  beforeAll(async () => {
    nodeDisk = mountDisk("size=16m");
    logDisk = mountDisk("size=3m");
    nexus = await Nexus.start();
    symlinkSync(logDisk.path, join(nexus.home, "logs"));
    agent = await nexus.addAgent({ name: "gpu1", home: join(nodeDisk.path, "home") });
  });
  afterAll(async () => {
    await nexus?.dispose();
    for (const disk of [nodeDisk, logDisk]) {
      await until("the disk is free", async () => {
        disk.unmount();
        return true;
      });
    }
  });

  const cli = async (...args: string[]) => {
    const child = nexus.cli(args);
    return { code: await child.exit(), stdout: child.stdout, stderr: child.stderr };
  };

  it("[W45] of a node: its jobs wait, say why, and run once there is room; an agent does not begin there", async () => {
    const filler = join(nodeDisk.path, "filler");
    // Their starts are on the way before the agent can notice.
    agent.child.process.kill("SIGSTOP");
    fill(filler);
    const jobs = [];
    for (const code of [0, 3, 0]) jobs.push(await nexus.submit({ command: ["sh", "-c", `exit ${code}`] }));
    agent.child.process.kill("SIGCONT");
    const why = /^node gpu1 refuses starts: its disk is full \(0 MiB free at .*\); free space there$/;
    for (const { id } of jobs) {
      await until("it waits and says why", async () => {
        const { state, reason } = await nexus.job(id);
        return state === "queued" && reason !== null && why.test(explainReason(reason));
      });
    }
    const [first] = jobs;
    const history = await nexus.call("jobs.events", { job: first?.id ?? "" });
    expect(history.map(({ type }) => type)).toContain("decline");
    expect((await cli("targets", "list")).stdout).toContain("It refuses starts: its disk is full");
    expect((await cli("status")).stdout).toContain("It refuses starts: its disk is full");
    expect(await cli("run", "--", "true")).toMatchObject({
      code: 75,
      stderr: expect.stringMatching(/node gpu1 refuses starts: its disk is full .*nexus add/s),
    });

    await agent.kill("SIGKILL");
    const refused = agent.start();
    expect(await refused.exit()).toBe(74);
    expect(refused.stderr).toMatch(/the disk is full\.\n$/);

    rmSync(filler);
    agent.start();
    const ends = [];
    for (const { id } of jobs) ends.push((await nexus.ended(id)).exitCode);
    expect(ends).toEqual([0, 3, 0]);
    const { targets } = await nexus.call("fleet.list", undefined);
    expect(targets.map(({ notice }) => notice)).toEqual([null]);
  });

  it("[W46] of the log store: everyone who looks is told, and the log goes on without a lost byte", async () => {
    const ballast = join(logDisk.path, "ballast");
    writeFileSync(ballast, Buffer.alloc(2 * 1024 * 1024));
    const lines = 200_000;
    const script = `i=0; while [ $i -lt 200 ]; do seq -f %08.0f $((i*1000)) $((i*1000+999)); i=$((i+1)); done; exit 5`;
    const run = nexus.cli(["run", "--", "sh", "-c", script]);
    await until("it says so", async () =>
      run.stderr.includes("the control plane cannot store more of this log now"),
    );
    const { jobs } = await nexus.call("jobs.list", { limit: 1 });
    const id = jobs[0]?.id ?? "";
    const part = await cli("logs", id);
    expect(part.stdout.length).toBeLessThan(lines * 9);
    expect(part.stderr).toMatch(/^nexus: the control plane cannot store more of this log now.* is full/);
    expect((await cli("get", id)).stdout).toContain("the control plane cannot store more of this log now");
    expect((await cli("status")).stdout).toContain("! The control plane cannot store the logs of 1 job now");
    const ready = await nexus.fetch("/readyz");
    expect([ready.status, await ready.json()]).toEqual([200, { ready: true, problems: ["log_store_full"] }]);
    expect(run.process.exitCode).toBeNull();

    rmSync(ballast);
    expect(await run.exit()).toBe(5);
    expect(run.stderr).toContain("that is over; the log goes on");
    expect(run.stdout.length).toBe(lines * 9);
    expect(run.stdout).toBe(
      Array.from({ length: lines }, (_, i) => `${String(i).padStart(8, "0")}\n`).join(""),
    );
    expect((await cli("logs", id)).stderr).toBe("");
    expect(await (await nexus.fetch("/readyz")).json()).toEqual({ ready: true, problems: [] });
  });
});

// tidy-allow skip: mounts disks, for which a machine must let its user be root
describe.skipIf(!canMount())("a control plane whose home's disk is full", () => {
  it("[O63] ends when its Postgres does and does not start, naming the disk, and starts once there is room", async () => {
    // A new database takes 70 MiB.
    const disk = mountDisk("size=160m");
    // Postgres runs as a user without rights where this is root.
    chmodSync(disk.path, 0o711);
    const home = join(disk.path, "home");
    const full = `The control plane's disk (${home}) is full; free space there.\n`;
    const nexus = await Nexus.start({}, home);
    try {
      const filler = join(disk.path, "filler");
      fill(filler);
      const { server } = nexus;
      const [pid] = readFileSync(join(home, "postgres/data/postmaster.pid"), "utf8").split("\n");
      process.kill(Number(pid), "SIGKILL");
      expect(await server.exit()).toBe(74);
      expect(server.stderr).toBe(`The embedded Postgres ended by itself. ${full}`);

      await expect(nexus.startServer()).rejects.toThrow("ended with 74");
      expect(nexus.server.stderr).toBe(full);

      rmSync(filler);
      await nexus.startServer();
      expect((await nexus.fetch("/readyz")).status).toBe(200);
    } finally {
      await nexus.dispose();
      await until("the disk is free", async () => {
        disk.unmount();
        return true;
      });
    }
  });
});

/** Until the disk takes no more. */
function fill(path: string): void {
  const fd = openSync(path, "w");
  try {
    for (;;) writeSync(fd, Buffer.alloc(4096));
  } catch (error) {
    expect(error).toMatchObject({ code: "ENOSPC" });
  } finally {
    closeSync(fd);
  }
}
