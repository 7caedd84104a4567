/** The driver on what real machines' nvidia-smi printed, see fixtures/README.md. */
import type { GpuSample } from "@nexus/shared/protocol/messages";
import { afterEach, describe, expect, it } from "vitest";
import { createGpuDriver } from "./create-gpu-driver.ts";
import type { GpuDriver } from "./driver.ts";
import { installRecording } from "./fixtures/recording.ts";

const undo: (() => Promise<unknown> | unknown)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

async function replay(name: string, state: "idle" | "load", help?: string): Promise<GpuDriver> {
  const smi = await installRecording(name, state, help);
  undo.push(smi.remove);
  const driver = await createGpuDriver({
    setting: undefined,
    searchPath: `${smi.folder}:${process.env.PATH ?? ""}`,
    seed: "node",
    nowMs: () => performance.now(),
    pace: {
      gpuIntervalMs: 40,
      processIntervalMs: 60,
      silenceMsMin: 60_000,
      backoffMsMin: 10,
      backoffMsMax: 40,
    },
    roots: {},
  });
  undo.push(driver.close);
  return driver;
}

/** Resolves with the first sample that shows these processes, device by device. */
function sampleWith(driver: GpuDriver, pids: number[][]): Promise<GpuSample[]> {
  return new Promise((resolve) => {
    const unsubscribe = driver.onSample(check);
    check();
    function check(): void {
      const gpus = driver.sample()?.gpus ?? [];
      const shown = gpus.map(({ processes }) => processes.map(({ pid }) => pid).sort((a, b) => a - b));
      if (JSON.stringify(shown) !== JSON.stringify(pids)) return;
      unsubscribe();
      resolve(gpus);
    }
  });
}

const numbers = ({ memoryUsedMib, utilizationPct, temperatureC, powerW, powerLimitW }: GpuSample) => [
  memoryUsedMib,
  utilizationPct,
  temperatureC,
  powerW,
  powerLimitW,
];

/** `idle`, `load`: MiB in use, % used, °C, W, limit in W. Read by eye from the recordings. */
const CARDS = [
  {
    card: "h200",
    help: "h200",
    facts: ["NVIDIA H200", 143771, "590.48.01 (CUDA 13.1)"],
    idle: [613, 0, 28, 77.71, 700],
    load: [32975, 100, 52, 627.4, 700],
    pids: [10291, 10293, 10309],
  },
  {
    card: "h100",
    help: "h200",
    facts: ["NVIDIA H100 80GB HBM3", 81559, "590.48.01 (CUDA 13.1)"],
    idle: [478, 0, 41, 69.85, 700],
    load: [20296, 100, 59, 631.95, 700],
    pids: [11327, 11328, 11345],
  },
  {
    card: "l40s",
    help: "l40s",
    facts: ["NVIDIA L40S", 46068, "595.80 (CUDA 13.2)"],
    idle: [608, 100, 63, 144.97, 350],
    load: [1843, 9, 54, 110.23, 350],
    pids: [20037, 20038],
  },
  {
    card: "rtx-4080-super",
    help: "l40s",
    facts: ["NVIDIA GeForce RTX 4080 SUPER", 16376, "595.71.05 (CUDA 13.2)"],
    idle: [1028, 0, 43, 26.2, 320],
    load: [1906, 7, 46, 84.24, 320],
    pids: [2165, 5021, 5022],
  },
  {
    card: "rtx-2080-super",
    help: "rtx-2080-super",
    facts: ["NVIDIA GeForce RTX 2080 SUPER", 8192, "610.57.04 (CUDA 13.3)"],
    idle: [610, 0, 33, 39.17, 250],
    load: [1214, 8, 38, 98.14, 250],
    pids: [28511, 28512],
  },
];

const MIG = [
  {
    card: "h200-mig",
    pids: [[], [], [12249, 12250, 12267], [], [], []],
    memoryMib: [
      ["NVIDIA H200", 143771, 17572],
      ["NVIDIA H200 MIG 1c.3g.71gb", 71424, 16925],
      ["NVIDIA H200 MIG 2c.3g.71gb", 71424, 16925],
      ["NVIDIA H200 MIG 2g.35gb", 33280, 16],
      ["NVIDIA H200 MIG 1g.18gb", 16384, 8],
      ["NVIDIA H200 MIG 1g.18gb", 16384, 8],
    ],
  },
  {
    card: "h100-mig",
    pids: [[], [21180, 21181, 21198], [], [], []],
    memoryMib: [
      ["NVIDIA H100 80GB HBM3", 81559, 11603],
      ["NVIDIA H100 80GB HBM3 MIG 3g.40gb", 40448, 11091],
      ["NVIDIA H100 80GB HBM3 MIG 2g.20gb", 20096, 16],
      ["NVIDIA H100 80GB HBM3 MIG 1g.10gb", 9984, 8],
      ["NVIDIA H100 80GB HBM3 MIG 1g.10gb", 9984, 8],
    ],
  },
];

describe("recordings of real machines", () => {
  it.each(CARDS)("[G1] $card: facts, and samples idle and under load", async (card) => {
    const idle = await replay(card.card, "idle", card.help);
    expect(idle.problem()).toBeNull();
    const [gpu] = idle.list();
    expect([gpu?.name, gpu?.memoryTotalMib, idle.driverVersion()]).toEqual(card.facts);
    expect(idle.sample()?.gpus.map(numbers)).toEqual([card.idle]);
    const load = await sampleWith(await replay(card.card, "load", card.help), [card.pids]);
    expect(load.map(numbers)).toEqual([card.load]);
  });

  it.each(MIG)("[G7] $card: instances take jobs with their memory, the card does not", async (card) => {
    const driver = await replay(card.card, "load", "h200");
    const gpus = await sampleWith(driver, card.pids);
    const memory = driver
      .list()
      .map(({ name, memoryTotalMib }, n) => [name, memoryTotalMib, gpus[n]?.memoryUsedMib]);
    expect(memory).toEqual(card.memoryMib);
    expect(driver.list().map(({ schedulable }) => schedulable)).toEqual(card.pids.map((_, n) => n > 0));
  });
});
