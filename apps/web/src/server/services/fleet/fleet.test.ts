import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import {
  simulatedGpus,
  startTestServices,
  type TestNode,
  type TestServices,
} from "../testing/test-services.ts";
import { gpuUseOf } from "./gpu-use.ts";

let t: TestServices;
let node: TestNode;
const real = simulatedGpus(2).map((gpu) => ({
  ...gpu,
  simulated: false,
  uuid: gpu.uuid.replace("sim", "real"),
}));
const sampleOf = (uuid: string, over = {}) => ({
  uuid,
  memoryUsedMib: 300,
  utilizationPct: 5,
  temperatureC: 40,
  powerW: 99.6,
  powerLimitW: 400,
  processes: [],
  ...over,
});
const target = () => t.services.fleet.get(t.alice.teamId, "gpu1");
beforeAll(async () => {
  t = await startTestServices({ sampleEveryMs: 0 });
  node = await t.addTarget("gpu1", { gpus: real });
});
beforeEach(async () => {
  await node.connect();
});
afterAll(() => t.close());

describe("samples", () => {
  test("[S8] a real GPU waits for its first sample, and takes the job when it comes", async () => {
    const id = await t.submit({ command: ["a"] });
    expect((await t.services.getJob(t.alice, id)).reason).toEqual({ code: "stale", targets: ["gpu1"] });
    node.sample(real.map((gpu) => sampleOf(gpu.uuid)));
    await node.exited(await node.startOf(id));
  });

  test("[S7] processes outside Nexus keep their GPU to themselves, and are named", async () => {
    const [first, second] = real.map((gpu) => gpu.uuid);
    const foreign = { pid: 1, user: "carol", command: "python", memoryMib: 20_000, attempt: null };
    node.sample([
      sampleOf(first ?? "", { memoryUsedMib: 20_300, processes: [foreign] }),
      sampleOf(second ?? "", { memoryUsedMib: 30_000 }),
    ]);
    const id = await t.submit({ command: ["a"] });
    const users = ["carol", "processes that the node cannot see"];
    expect((await t.services.getJob(t.alice, id)).reason).toEqual({ code: "foreign", target: "gpu1", users });
    node.sample([sampleOf(first ?? "")]);
    expect((await node.startOf(id)).gpus).toEqual([first]);
    await node.exited(await node.startOf(id));
  });

  test("[S7] what a sample shows is told apart: ours, foreign, the driver's own, and what is on its way out", () => {
    const ours = { pid: 1, user: "x", command: "a", memoryMib: 5000, attempt: "a_0000000001" };
    const foreign = { ...ours, memoryMib: 700, attempt: null, user: null };
    const sample = sampleOf("GPU-1", { memoryUsedMib: 7000, processes: [ours, foreign, ours] });
    const use = gpuUseOf({ ...sample, memoryUsedMib: 11_000 }, { sampledAtMs: 1, isSettled: true });
    expect(use).toEqual({
      sampledAtMs: 1,
      foreignMib: 700,
      foreignUsers: ["an unknown user"],
      attemptMib: new Map([["a_0000000001", 10_000]]),
    });
    const hidden = { ...sample, memoryUsedMib: 40_000, processes: [] };
    expect(gpuUseOf(hidden, { sampledAtMs: 1, isSettled: true }).foreignMib).toBe(40_000);
    expect(gpuUseOf(hidden, { sampledAtMs: 1, isSettled: false }).foreignMib).toBe(0);
  });

  test("[S8] history is kept thinned, by GPU and time, for the target and for a job", async () => {
    const since = Date.now() - 60_000;
    node.sample(real.map((gpu) => sampleOf(gpu.uuid, { memoryUsedMib: 1234.4 })));
    const points = await t.until(async () => {
      const range = { target: "gpu1", sinceMs: since };
      const { points } = await t.services.listTargetSamples(t.alice, range);
      return points.length >= 2 && points;
    });
    expect(new Set(points.map((point) => point.uuid)).size).toBe(2);
    expect(points[0]).toMatchObject({ powerW: 100, utilizationPct: 5, temperatureC: 40 });
  });
});

describe("targets", () => {
  test("[S6] hardware that changed is written down, and what is gone is not placed on", async () => {
    node.sample(real.map((gpu) => sampleOf(gpu.uuid)));
    await t.services.agentPort.facts(node.session, {
      type: "facts",
      facts: { ...(target().facts ?? fail()), hostname: "box\0two" },
      gpus: real.slice(1),
    });
    expect(target().gpus.map((gpu) => gpu.uuid)).toEqual([real[1]?.uuid]);
    expect(target().facts?.hostname).toBe("box\ufffdtwo");
    expect(await t.db.sql`select uuid from gpu where missing_since is not null`).toEqual([
      { uuid: real[0]?.uuid },
    ]);
    await node.connect();
    expect(target().gpus).toHaveLength(2);
  });

  test("[S5] a cordoned target takes no job until it is uncordoned, and a blocked GPU none", async () => {
    node.sample(real.map((gpu) => sampleOf(gpu.uuid)));
    await t.services.cordonTarget(t.alice, { target: "gpu1", cordoned: true, drain: true });
    expect(target()).toMatchObject({ cordoned: true, draining: true });
    const id = await t.submit({ command: ["a"] });
    expect((await t.services.getJob(t.alice, id)).reason).toEqual({ code: "cordoned", targets: ["gpu1"] });
    await t.services.blockGpu(t.alice, { target: "gpu1", uuid: real[0]?.uuid ?? "", blocked: true });
    await t.services.cordonTarget(t.alice, { target: "gpu1", cordoned: false, drain: false });
    expect((await node.startOf(id)).gpus).toEqual([real[1]?.uuid]);
    await node.exited(await node.startOf(id));
    await t.services.blockGpu(t.alice, { target: "gpu1", uuid: real[0]?.uuid ?? "", blocked: false });
  });

  test("[S5] names and labels change where planning sees them; a name belongs to one target", async () => {
    const second = await t.addTarget("gpu2");
    await second.connect();
    const rename = (name: string) => t.services.renameTarget(t.alice, { target: "gpu2", name });
    await expect(async () => await rename("gpu1")).rejects.toMatchObject({ code: "conflict" });
    await rename("renamed");
    await t.services.labelTarget(t.alice, { target: "renamed", labels: { role: "cpu" } });
    const id = await t.submit({ command: ["a"], labels: { role: "cpu" } });
    await second.exited(await second.startOf(id));
    expect(await t.services.removeTarget(t.alice, { target: "renamed", force: false })).toEqual({ ok: true });
    expect(t.services.fleet.list(t.alice.teamId).map((one) => one.name)).toEqual(["gpu1"]);
    const audit = await t.db.sql`select action from audit_event order by id`;
    expect(audit.map((row) => row.action)).toEqual([
      "target.cordoned",
      "gpu.blocked",
      "target.uncordoned",
      "gpu.unblocked",
      "target.renamed",
      "target.labelled",
      "target.removed",
    ]);
  });

  test("[S14] a queue's pause and limit hold from the moment they are set", async () => {
    node.sample(real.map((gpu) => sampleOf(gpu.uuid)));
    const put = (over: object) =>
      t.services.putQueue(t.alice, { name: "night", priority: 0, paused: true, runningMax: 1, ...over });
    expect(await put({})).toEqual({
      name: "night",
      priority: 0,
      paused: true,
      runningMax: 1,
      gpusMax: null,
      userRunningMax: null,
      userGpusMax: null,
      selector: { labels: {}, targets: [] },
      targetsSelected: 1,
      queued: 0,
      running: 0,
      gpusHeld: 0,
      waitsLongest: null,
    });
    const [first, second] = [
      await t.submit({ command: ["a"], queue: "night" }),
      await t.submit({ command: ["b"], queue: "night" }),
    ];
    expect((await t.services.getJob(t.alice, first)).reason).toEqual({
      code: "queue_paused",
      queue: "night",
    });
    expect(await put({ paused: false })).toMatchObject({ queued: 2 });
    const start = await node.startOf(first);
    expect((await t.services.getJob(t.alice, second)).reason).toMatchObject({
      code: "queue_limit",
      limit: 1,
    });
    await node.exited(start);
    await node.exited(await node.startOf(second));
  });
});

function fail(): never {
  throw new Error("no facts");
}
