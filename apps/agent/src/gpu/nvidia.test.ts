/** The driver against real processes: a fake nvidia-smi (see fixtures/README.md) that is started, watched, killed. */
import { spawn } from "node:child_process";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import type { GpuSample } from "@nexus/shared/protocol/messages";
import { afterEach, describe, expect, it } from "vitest";
import { createGpuDriver } from "./create-gpu-driver.ts";
import type { GpuDriver } from "./driver.ts";
import { csvFixture, type FakeMachine, type FakeSmi, fixture, installFakeSmi } from "./fixtures/fake-smi.ts";

const undo: (() => Promise<unknown> | unknown)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

const PATH = process.env.PATH ?? "";
const FAST = {
  gpuIntervalMs: 40,
  processIntervalMs: 60,
  silenceMsMin: 60_000,
  backoffMsMin: 10,
  backoffMsMax: 40,
};

async function drive(
  machine: FakeMachine,
  more: { pace?: Partial<typeof FAST>; proc?: string; nowMs?: () => number } = {},
): Promise<{ smi: FakeSmi; driver: GpuDriver }> {
  const smi = await installFakeSmi({ "apps.csv": "apps-none.csv", ...machine });
  undo.push(smi.remove);
  return { smi, driver: await openDriver(smi, more) };
}

async function openDriver(
  smi: FakeSmi,
  more: { pace?: Partial<typeof FAST>; proc?: string; nowMs?: () => number } = {},
): Promise<GpuDriver> {
  const driver = await createGpuDriver({
    setting: undefined,
    searchPath: `${smi.folder}:${PATH}`,
    seed: "node",
    nowMs: more.nowMs ?? (() => performance.now()),
    pace: { ...FAST, ...more.pace },
    roots: more.proc === undefined ? {} : { proc: more.proc },
  });
  undo.push(driver.close);
  return driver;
}

/** Waits for a sample, or another change, that fulfils the claim. */
async function until(driver: GpuDriver, claim: () => boolean): Promise<void> {
  await new Promise<void>((resolve) => {
    const unsubscribe = driver.onSample(check);
    check();
    function check(): void {
      if (!claim()) return;
      unsubscribe();
      resolve();
    }
  });
}

const sampleOf = (driver: GpuDriver, uuid: string): GpuSample | undefined =>
  driver.sample()?.gpus.find((gpu) => gpu.uuid === uuid);

const H200 = "GPU-6d1f0a52-93b8-4c1e-8f27-51c0de9a7b10";
const FIRST_4090 = "GPU-c71d2e80-4b9a-4d13-8ef6-30a5b7d9126f";
const SECOND_4090 = "GPU-8ae5f6b3-17c0-4c2d-93d4-b6f10e7c5a98";
const TWO_4090: FakeMachine = { "gpu.csv": "gpu-2-errors.csv", "list.txt": "list-2-4090.txt" };

describe("sampling", () => {
  it("[G1] one device: facts, sample, driver and CUDA version", async () => {
    const { driver } = await drive({ "gpu.csv": "gpu-1-h200.csv", "list.txt": "list-1-h200.txt" });
    expect(driver.kind).toBe("nvidia");
    expect(driver.problem()).toBeNull();
    expect(driver.driverVersion()).toBe("590.48.01 (CUDA 13.1)");
    expect(driver.list()).toEqual([
      {
        uuid: H200,
        index: 0,
        name: "NVIDIA H200",
        memoryTotalMib: 143771,
        simulated: false,
        migParentUuid: null,
        schedulable: true,
      },
    ]);
    expect(sampleOf(driver, H200)).toMatchObject({
      memoryUsedMib: 32975,
      utilizationPct: 100,
      powerLimitW: 700,
    });
  });

  it("[G1] eight devices are sampled by two processes that stay, not by one per sample", async () => {
    const { smi, driver } = await drive({ "gpu.csv": "gpu-8-h100.csv", "list.txt": "list-8-h100.txt" });
    let samples = 0;
    driver.onSample(() => samples++);
    await until(driver, () => samples > 10);
    expect(driver.list().map(({ index }) => index)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(driver.sample()?.gpus.map(({ powerW }) => powerW)).toEqual([
      668.12, 671.9, 655.43, 689.01, 301.77, 70.25, 69.88, 72.4,
    ]);
    const fields =
      "index,uuid,pci.bus_id,count,driver_version,memory.total,memory.free,memory.used,utilization.gpu,temperature.gpu,power.draw,enforced.power.limit,mig.mode.current,name";
    expect((await smi.calls()).sort()).toEqual(
      [
        "--help-query-gpu",
        "--version",
        "-L",
        `--query-gpu=${fields} --format=csv,noheader,nounits -lms 40`,
        "--query-compute-apps=gpu_uuid,pid,used_memory,process_name --format=csv,noheader,nounits",
        "--query-compute-apps=gpu_uuid,pid,used_memory,process_name --format=csv,noheader,nounits -lms 60",
      ].sort(),
    );
  });

  it("[G4] an old driver is asked for what it knows", async () => {
    const { smi, driver } = await drive({
      "gpu.csv": "gpu-old-driver.csv",
      "list.txt": "list-old-driver.txt",
      "help.txt": "help-query-gpu-old.txt",
    });
    expect(driver.problem()).toBeNull();
    expect(driver.list()[0]?.name).toBe("GeForce GT 710");
    expect((await smi.calls()).join("\n")).not.toContain("enforced.power.limit");
  });

  it("[G3] a card that refuses values is reported with nulls", async () => {
    const { driver } = await drive({ "gpu.csv": "gpu-wsl.csv", "list.txt": "list-wsl.txt" });
    const [card] = driver.list();
    expect(sampleOf(driver, card?.uuid ?? "")).toEqual({
      uuid: card?.uuid,
      memoryUsedMib: 906,
      utilizationPct: null,
      temperatureC: null,
      powerW: null,
      powerLimitW: null,
      processes: [],
    });
    expect(card?.schedulable).toBe(true);
  });

  it("[G9] refresh resolves with a sample that was taken after the call", async () => {
    const slow = { gpuIntervalMs: 60_000, processIntervalMs: 60_000 };
    const { smi, driver } = await drive(
      { "gpu.csv": "gpu-1-h200.csv", "list.txt": "list-1-h200.txt" },
      { pace: slow },
    );
    const { fields, lines } = await csvFixture("gpu-1-h200.csv");
    await smi.put("gpu.csv", `${fields.join(", ")}\n${lines[0]?.replace("110796, 32362", "143157, 0")}\n`);
    await smi.put(
      "apps.csv",
      `gpu_uuid, pid, used_memory, process_name\n${H200}, ${process.pid}, 77, /bin/held\n`,
    );
    await driver.refresh();
    expect(sampleOf(driver, H200)).toMatchObject({ memoryUsedMib: 614, processes: [{ pid: process.pid }] });
    await smi.use("apps.csv", "apps-none.csv");
    await driver.refresh();
    expect(sampleOf(driver, H200)?.processes).toEqual([]);
  });
});

describe("trouble", () => {
  it("[G5] a driver that is gone is a state with a reason, and is found again when it returns", async () => {
    const { smi, driver } = await drive({
      "gpu.csv": "gpu-1-h200.csv",
      "list.txt": "list-1-h200.txt",
      "gone.txt": "gone.txt",
    });
    expect(driver.problem()).toMatch(/driver does not answer/);
    expect(driver.sample()).toBeNull();
    expect(driver.list()).toEqual([]);
    await driver.refresh();
    await smi.drop("gone.txt");
    await until(driver, () => driver.sample() !== null);
    expect(driver.problem()).toBeNull();
    expect(driver.list()).toHaveLength(1);
  });

  it("[G10] a silent loop is restarted; meanwhile the last sample stays and says its age", async () => {
    let skewMs = 0;
    const { smi, driver } = await drive(
      { "gpu.csv": "gpu-1-h200.csv", "list.txt": "list-1-h200.txt" },
      { pace: { silenceMsMin: 200 }, nowMs: () => performance.now() + skewMs },
    );
    await smi.put("gpu.mode", "hang");
    await until(driver, () => driver.problem() !== null);
    expect(driver.problem()).toMatch(/stopped answering/);
    skewMs = 10_000;
    const old = driver.sample();
    expect(old?.stale).toBe(true);
    expect(old?.ageMs).toBeGreaterThanOrEqual(10_000);
    expect(old?.gpus[0]?.memoryUsedMib).toBe(32975);
    await smi.put("gpu.mode", "ok");
    await until(driver, () => driver.problem() === null);
    expect(driver.sample()?.ageMs).toBeLessThan(10_000);
  });

  it("[G3] a loop that dies in the middle of a row gives no false row", async () => {
    const { smi, driver } = await drive({ "gpu.csv": "gpu-1-h200.csv", "list.txt": "list-1-h200.txt" });
    await smi.put("gpu.mode", "half");
    await until(driver, () => driver.problem() !== null);
    expect(driver.list()).toHaveLength(1);
    await smi.put("gpu.mode", "ok");
    await until(driver, () => driver.problem() === null);
    expect(driver.list()).toHaveLength(1);
  });

  it("[G6] a device whose cells say it is lost stays listed, not schedulable, and the others go on", async () => {
    const { smi, driver } = await drive(TWO_4090);
    expect(driver.list().map(({ schedulable }) => schedulable)).toEqual([true, true]);
    await smi.use("gpu.csv", "gpu-lost-cells.csv");
    await until(driver, () => driver.problem() !== null);
    expect(driver.problem()).toMatch(new RegExp(`^GPU 1 \\(${SECOND_4090}\\) fell off the bus`));
    expect(driver.list().map(({ uuid, schedulable }) => [uuid, schedulable])).toEqual([
      [FIRST_4090, true],
      [SECOND_4090, false],
    ]);
    expect(sampleOf(driver, SECOND_4090)?.memoryUsedMib).toBeNull();
    expect(sampleOf(driver, FIRST_4090)?.memoryUsedMib).toBe(23552);
    await smi.use("gpu.csv", "gpu-2-errors.csv");
    await until(driver, () => driver.problem() === null);
    expect(driver.list()[1]?.schedulable).toBe(true);
  });

  it("[G6] a row that is missing takes only its own device out", async () => {
    const { smi, driver } = await drive(TWO_4090);
    const { fields, lines } = await csvFixture("gpu-2-errors.csv");
    await smi.put("gpu.csv", `${fields.join(", ")}\n${lines[0]}\n`);
    await until(driver, () => driver.problem() !== null);
    expect(driver.problem()).toMatch(/GPU 1 .* gives no data/);
    expect(driver.list().map(({ schedulable }) => schedulable)).toEqual([true, false]);
  });

  it("[G6] a device that cannot be opened hides the others until they are asked for by name", async () => {
    const proc = await mkdtemp(join(tmpdir(), "nexus-proc-"));
    undo.push(() => rm(proc, { recursive: true, force: true }));
    for (const busId of ["0000:17:00.0", "0000:65:00.0"]) {
      await mkdir(join(proc, "driver/nvidia/gpus", busId), { recursive: true });
    }
    const { smi, driver } = await drive({ ...TWO_4090, "lost.txt": "lost.txt" }, { proc });
    await until(driver, () => driver.sample() !== null);
    expect(driver.list().map(({ uuid }) => uuid)).toEqual([FIRST_4090]);
    expect(sampleOf(driver, FIRST_4090)?.utilizationPct).toBe(97);
    expect(driver.problem()).toMatch(/^a GPU at 0000:65:00.0 fell off the bus/);
    expect((await smi.calls()).filter((call) => call.includes("--id=0000:17:00.0 -lms"))).not.toEqual([]);
  });

  it("[G6] a device that falls off the bus at work takes the loop with it; the others come back without it", async () => {
    const proc = await mkdtemp(join(tmpdir(), "nexus-proc-"));
    undo.push(() => rm(proc, { recursive: true, force: true }));
    for (const busId of ["0000:17:00.0", "0000:65:00.0"]) {
      await mkdir(join(proc, "driver/nvidia/gpus", busId), { recursive: true });
    }
    const { smi, driver } = await drive(TWO_4090, { proc });
    await smi.use("lost.txt", "lost.txt");
    await smi.put("gpu.mode", "half");
    await until(driver, () => driver.problem() !== null);
    await smi.put("gpu.mode", "ok");
    await until(
      driver,
      () => driver.problem()?.startsWith(`GPU 1 (${SECOND_4090}) fell off the bus`) === true,
    );
    // The loop begins again without it; its first sample comes after the word that it is lost.
    await until(driver, () => driver.sample()?.stale === false);
    expect(driver.list().map(({ schedulable }) => schedulable)).toEqual([true, false]);
    expect(sampleOf(driver, FIRST_4090)?.utilizationPct).toBe(97);
  });
});

describe("MIG", () => {
  const MIG: FakeMachine = {
    "gpu.csv": "gpu-mig.csv",
    "list.txt": "list-mig.txt",
    "query.txt": "query-mig.txt",
    "apps.csv": "apps-mig.csv",
  };
  const CARD = "GPU-5b0c7e19-2a44-4f8d-b3c6-9d1e60f7a204";

  it("[G7] instances take jobs with the memory that they have, the card does not", async () => {
    const { driver } = await drive(MIG);
    await until(driver, () => driver.list()[4]?.memoryTotalMib === 16384);
    expect(
      driver
        .list()
        .map(({ name, memoryTotalMib, migParentUuid, schedulable }) => [
          name,
          memoryTotalMib,
          migParentUuid,
          schedulable,
        ]),
    ).toEqual([
      ["NVIDIA H200", 143771, null, false],
      ["NVIDIA H200 MIG 1c.3g.71gb", 71424, CARD, true],
      ["NVIDIA H200 MIG 2c.3g.71gb", 71424, CARD, true],
      ["NVIDIA H200 MIG 2g.35gb", 33280, CARD, true],
      ["NVIDIA H200 MIG 1g.18gb", 16384, CARD, true],
    ]);
    expect(driver.sample()?.gpus.map(({ memoryUsedMib }) => memoryUsedMib)).toEqual([
      17572, 16924, 16924, 16, 8,
    ]);
    expect(driver.sample()?.gpus.every(({ utilizationPct }) => utilizationPct === null)).toBe(true);
  });

  it("[G7] a process is shown at its instance, one that cannot be placed at the card", async () => {
    const { driver } = await drive(MIG);
    const pids = () => driver.sample()?.gpus.map(({ processes }) => processes.map(({ pid }) => pid));
    const wanted = [[777], [], [12249, 12267], [], []];
    await until(driver, () => JSON.stringify(pids()) === JSON.stringify(wanted));
    expect(pids()).toEqual(wanted);
  });

  it("[G7] where the memory may not be read an instance has its profile's floor and an unknown use", async () => {
    const { driver } = await drive({
      ...MIG,
      "gpu.csv": "gpu-mig-unprivileged.csv",
      "query.txt": "no-devices.txt",
    });
    await until(driver, () => driver.list().length === 5);
    expect(driver.list()[4]).toMatchObject({ memoryTotalMib: 16220, schedulable: true });
    expect(driver.list()[0]).toMatchObject({ memoryTotalMib: null, schedulable: false });
    expect(driver.sample()?.gpus.map(({ memoryUsedMib }) => memoryUsedMib)).toEqual(Array(5).fill(null));
  });

  it("[G7] instances that are made while the agent runs are found", async () => {
    const { smi, driver } = await drive(MIG);
    await until(driver, () => driver.list()[4]?.memoryTotalMib === 16384);
    const list = await fixture("list-mig.txt");
    await smi.put("list.txt", list.split("\n").slice(0, -2).join("\n"));
    const query = await fixture("query-mig.txt");
    await smi.put("query.txt", query.replace(/ {4}MIG Device\n {8}Index +: 3\n[\s\S]*?(?= {4}GPU UUID)/, ""));
    await until(driver, () => driver.list().length === 4);
    await smi.put("list.txt", list);
    await smi.put("query.txt", query);
    await until(driver, () => driver.list().length === 5);
  });
});

describe("processes", () => {
  /** A real process, and its child, which has given up the environment. */
  async function family(env: Record<string, string>): Promise<{ parent: number; child: number }> {
    const started = spawn("sh", ["-c", "env -i sleep 1000 & echo $!; wait"], {
      env: { PATH, ...env },
      stdio: ["ignore", "pipe", "ignore"],
      detached: true,
    });
    const parent = started.pid ?? 0;
    undo.push(() => process.kill(-parent, "SIGKILL"));
    const child = await new Promise<number>((resolve) =>
      started.stdout.once("data", (data: Buffer) => resolve(Number(data.toString()))),
    );
    return { parent, child };
  }

  it("[G8] a process belongs to the attempt whose marker it or an ancestor carries; others show user and command", async () => {
    const ours = await family({ NEXUS_ATTEMPT_ID: "a_0123456789" });
    const foreign = await family({ NEXUS_ATTEMPT_ID: "not an attempt" });
    const row = (pid: number, name: string): string => `${H200}, ${pid}, 100, ${name}\n`;
    const smi = await installFakeSmi({ "gpu.csv": "gpu-1-h200.csv", "list.txt": "list-1-h200.txt" });
    undo.push(smi.remove);
    await smi.put(
      "apps.csv",
      "gpu_uuid, pid, used_memory, process_name\n" +
        row(ours.parent, "/opt/env/bin/python") +
        row(ours.child, "/opt/env/bin/worker") +
        row(foreign.child, "[Not Found]") +
        row(4_194_303, "/usr/bin/elsewhere"),
    );
    const driver = await openDriver(smi);
    await until(driver, () => sampleOf(driver, H200)?.processes.length === 4);
    const user = userInfo().username;
    expect(sampleOf(driver, H200)?.processes).toEqual([
      { pid: ours.parent, memoryMib: 100, user, command: "python", attempt: "a_0123456789" },
      { pid: ours.child, memoryMib: 100, user, command: "worker", attempt: "a_0123456789" },
      { pid: foreign.child, memoryMib: 100, user, command: "sleep", attempt: null },
      { pid: 4_194_303, memoryMib: 100, user: null, command: "elsewhere", attempt: null },
    ]);
  });

  it("[G8] processes that are gone are seen to be gone, though the loop then prints nothing", async () => {
    const { smi, driver } = await drive({
      "gpu.csv": "gpu-8-h100.csv",
      "list.txt": "list-8-h100.txt",
      "apps.csv": "apps-8-h100.csv",
    });
    const count = () => driver.sample()?.gpus.reduce((sum, { processes }) => sum + processes.length, 0);
    await until(driver, () => count() === 7);
    await smi.use("apps.csv", "apps-none.csv");
    await until(driver, () => count() === 0);
    expect(driver.problem()).toBeNull();
  });
});
