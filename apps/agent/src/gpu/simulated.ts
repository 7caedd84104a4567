/**
 * GPUs for machines without any: `NEXUS_GPUS=sim:8x80GiB`. Owns who holds which card since when, and a timer for the pace.
 * Every card says that it is simulated, in its facts and in its name, wherever it is shown.
 */
import type { GpuFacts } from "@nexus/shared/protocol/messages";
import type { GpuDriver, GpuHolder } from "./driver.ts";
import { createListeners } from "./listeners.ts";
import { levelAt, type SimulatedLoad, simulatedUuid, simulateGpu } from "./simulate.ts";

export type SimulatedOptions = {
  count: number;
  model: string | null;
  memoryMib: number;
  /** Something that stays with the node. */
  seed: string;
  nowMs: () => number;
  intervalMs: number;
};

export function createSimulatedDriver(options: SimulatedOptions): GpuDriver {
  const listeners = createListeners();
  const gpus = Array.from({ length: options.count }, (_, index) => simulatedGpu(options, index));
  const loads = new Map<string, SimulatedLoad>(
    gpus.map(({ uuid }) => [uuid, { holders: [], levelThen: 0, changedAtMs: options.nowMs() }]),
  );
  const pace = setInterval(listeners.call, options.intervalMs).unref();

  function setHolders(holders: readonly GpuHolder[]): void {
    const nowMs = options.nowMs();
    for (const [uuid, load] of loads) {
      const mine = holders
        .filter((holder) => holder.uuid === uuid)
        .map(({ attempt, pid, memoryMib }) => ({
          attempt,
          pid,
          memoryMib,
          sinceMs: load.holders.find((before) => before.attempt === attempt)?.sinceMs ?? nowMs,
        }));
      loads.set(uuid, { holders: mine, levelThen: levelAt(load, nowMs), changedAtMs: nowMs });
    }
    listeners.call();
  }

  return {
    kind: "simulated",
    list: () => gpus,
    sample: () => {
      const nowMs = options.nowMs();
      const samples = gpus.map((gpu) => simulateGpu(gpu, loads.get(gpu.uuid) ?? NO_LOAD, nowMs));
      return { ageMs: 0, stale: false, gpus: samples };
    },
    problem: () => null,
    driverVersion: () => "simulated",
    onSample: listeners.add,
    refresh: async () => listeners.call(),
    setHolders,
    close: async () => {
      clearInterval(pace);
      listeners.clear();
    },
  };
}

const NO_LOAD: SimulatedLoad = { holders: [], levelThen: 0, changedAtMs: 0 };

function simulatedGpu(options: SimulatedOptions, index: number): GpuFacts {
  return {
    uuid: simulatedUuid(options.seed, index),
    index,
    name: `Simulated ${options.model ?? "GPU"}`,
    memoryTotalMib: options.memoryMib,
    simulated: true,
    migParentUuid: null,
    schedulable: true,
  };
}
