import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Job, JobTimelineEvent } from "@nexus/shared/api/schemas";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Nexus, type NexusAgent } from "../harness/nexus.ts";
import { until } from "../harness/until.ts";

describe("a node that falls silent", () => {
  let nexus: Nexus;
  let silent: NexusAgent;
  beforeAll(async () => {
    nexus = await Nexus.start();
    silent = await nexus.addAgent({ name: "silent", labels: { at: "lab" } });
  });
  afterAll(() => nexus?.dispose());

  it("[W18] is shown unreachable with since when, keeps its job, and has it back as running without a scratch", async () => {
    const go = join(silent.home, "go");
    const starts = join(silent.home, "starts");
    const script = `echo $$ >>${starts}; echo one; until [ -e ${go} ]; do sleep 0.1; done; echo two; exit 3`;
    const { id } = await nexus.submit({ command: ["sh", "-c", script], gpus: 0, labels: { at: "lab" } });
    await until("it has begun", async () => (await nexus.job(id)).logBytes > 0);
    const diedAtMs = Date.now();
    await silent.kill("SIGKILL");

    const job = await nexus.inState(id, "unreachable");
    // Another node that would do is no reason to begin it again there.
    await nexus.addAgent({ name: "spare", labels: { at: "lab" } });
    expect(job).toMatchObject({
      target: { name: "silent" },
      attemptNumber: 1,
      exitCode: null,
      endedAtMs: null,
    });
    expect(job.unreachableSinceMs).toBeGreaterThanOrEqual(diedAtMs);
    expect(job.unreachableSinceMs).toBeLessThanOrEqual(Date.now());
    expect(await said(["get", id])).toMatch(/its node is silent for \d.*the job may run on there/);
    expect(await said(["targets", "list"])).toMatch(/silent .*unreachable/);
    const { targets } = await nexus.call("fleet.list", undefined);
    expect(targets.find(({ name }) => name === "silent")).toMatchObject({
      state: "unreachable",
      jobsActive: 1,
    });

    silent.start();
    expect(await nexus.inState(id, "running")).toMatchObject({
      attemptNumber: 1,
      unreachableSinceMs: null,
    });
    await nexus.submit({ command: ["touch", go], gpus: 0, target: "silent" });
    expect(await nexus.ended(id)).toMatchObject({ state: "failed", exitCode: 3, attemptNumber: 1 });
    expect((await nexus.log(id)).toString()).toBe("one\ntwo\n");
    expect((await readFile(starts, "utf8")).trim().split("\n")).toHaveLength(1);

    const events = await history(id);
    expect(events.map(({ type, state, actor }) => `${type} ${state} by ${actor}`)).toEqual([
      `submitted queued by ${job.user.name}`,
      "place assigned by scheduler",
      "start running by silent",
      "silence unreachable by control plane",
      "return running by silent",
      "fail failed by silent",
    ]);
    const times = events.map(({ atMs }) => atMs);
    expect(times).toEqual([...times].sort((a, b) => a - b));
  });

  it("[W48] has its job started elsewhere by the job's own rule, and ends its own once it is back", async () => {
    const gone = await nexus.addAgent({ name: "gone", labels: { at: "shed" } });
    const go = join(gone.home, "go");
    const starts = join(gone.home, "starts");
    const script = `echo $$ >>${starts}; echo begun; until [ -e ${go} ]; do sleep 0.1; done; echo done`;
    const add = ["add", "--json", "-g", "0", "-l", "at=shed", "--retry-lost", "2", "--lost-after", "10s"];
    const { jobs } = JSON.parse(await said([...add, "--", "sh", "-c", script])) as { jobs: Job[] };
    const id = jobs[0]?.id ?? "";
    await until("it has begun", async () => (await nexus.job(id)).logBytes > 0);
    expect(await said(["get", id])).toContain("again, up to 2 times, when its node is silent for 10s");
    const follower = nexus.cli(["logs", "-f", id]);
    await gone.kill("SIGKILL");
    await nexus.inState(id, "unreachable", 30_000);
    await nexus.addAgent({ name: "other", labels: { at: "shed" } });

    await until(
      "it runs elsewhere",
      async () => {
        const { state, target, logBytes } = await nexus.job(id);
        return state === "running" && target?.name === "other" && logBytes > 0;
      },
      60_000,
    );
    const pids = (await readFile(starts, "utf8")).trim().split("\n").map(Number);
    expect(pids).toHaveLength(2);
    expect(pids.map(isAlive)).toEqual([true, true]);

    gone.start();
    // Its node tells of the end a moment after it.
    await until(
      "the first try is ended, and told",
      async () => !isAlive(pids[0] ?? 0) && (await history(id)).some(({ type }) => type === "noted"),
      30_000,
    );
    expect(await nexus.job(id)).toMatchObject({
      state: "running",
      target: { name: "other" },
      attemptNumber: 2,
      retry: { used: 1 },
    });
    expect(isAlive(pids[1] ?? 0)).toBe(true);
    await writeFile(go, "");
    expect(await nexus.ended(id)).toMatchObject({ state: "succeeded", attemptNumber: 2 });
    expect((await nexus.log(id)).toString()).toBe("begun\ndone\n");
    expect(await said(["logs", id, "--try", "1"])).toBe("begun\n");
    expect(await follower.exit()).toBe(0);
    expect(follower.stdout).toBe("begun\nbegun\ndone\n");
    expect(follower.stderr).toContain("was started again; its log begins anew");

    const events = await history(id);
    const user = jobs[0]?.user.name;
    expect(events.map(({ type, state, actor }) => `${type} ${state} by ${actor}`)).toEqual([
      `submitted queued by ${user}`,
      "place assigned by scheduler",
      "start running by gone",
      "silence unreachable by control plane",
      "requeue queued by control plane",
      "place assigned by scheduler",
      "start running by other",
      "noted running by gone",
      "succeed succeeded by other",
    ]);
  }, 120_000);

  async function history(id: string): Promise<JobTimelineEvent[]> {
    return (JSON.parse(await said(["get", id, "--json"])) as { events: JobTimelineEvent[] }).events;
  }

  async function said(args: string[]): Promise<string> {
    const cli = nexus.cli(args);
    expect(await cli.exit(), cli.stderr).toBe(0);
    return cli.stdout;
  }
});

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
