/**
 * The AMD driver: reads amdgpu's files at its own pace. Owns a timer, what is known of the devices and the last sample.
 * A device that disappears stays in the list, not schedulable. Refuses partitions (CPX, DPX): a partitioned MI300 shows as
 * the cards that the kernel makes of it.
 */
import type { GpuFacts, GpuProcess, GpuSample } from "@nexus/shared/protocol/messages";
import {
  type AmdGpu,
  type AmdProcess,
  readAmdDriverVersion,
  readAmdGpus,
  readAmdProcesses,
} from "./amd-sysfs.ts";
import { type GpuDriver, isStale } from "./driver.ts";
import { createFresh } from "./fresh.ts";
import { createListeners } from "./listeners.ts";
import type { ProcessOwner, ProcessOwners } from "./process-owner.ts";

export type AmdOptions = {
  /** `/sys`, or a recorded tree. */
  sysRoot: string;
  owners: ProcessOwners;
  nowMs: () => number;
  intervalMs: number;
};

export async function createAmdDriver(options: AmdOptions): Promise<GpuDriver> {
  const listeners = createListeners();
  let known: AmdGpu[] = [];
  let facts: GpuFacts[] = [];
  let samples: GpuSample[] = [];
  let completeAtMs: number | null = null;
  let version: string | null = null;
  let closed = false;

  const refresh = createFresh(read);
  await refresh();
  const pace = setInterval(() => void refresh(), options.intervalMs).unref();

  async function read(): Promise<void> {
    const [gpus, processes] = await Promise.all([
      readAmdGpus(options.sysRoot),
      readAmdProcesses(options.sysRoot),
    ]);
    const owners = await options.owners.of(new Map(processes.map(({ pid }) => [pid, null])));
    if (closed) return;
    known = [...known.filter(({ uuid }) => !gpus.some((gpu) => gpu.uuid === uuid)), ...gpus].sort((a, b) =>
      a.busId < b.busId ? -1 : 1,
    );
    facts = known.map((gpu, index) => factsOf(gpu, index, gpus.includes(gpu)));
    samples = known.map((gpu) => sampleOf(gpu, gpus.includes(gpu), withOwners(gpu, processes, owners)));
    version ??= await readAmdDriverVersion(options.sysRoot);
    completeAtMs = options.nowMs();
    listeners.call();
  }

  return {
    kind: "amd",
    list: () => facts,
    sample: () => {
      if (completeAtMs === null) return null;
      const ageMs = Math.max(0, options.nowMs() - completeAtMs);
      return { ageMs, stale: isStale(ageMs, options.intervalMs), gpus: samples };
    },
    problem: () => {
      const gone = facts.filter(({ schedulable }) => !schedulable);
      if (facts.length === 0) return "the amdgpu driver shows no device";
      return gone.map(({ index, uuid }) => `GPU ${index} (${uuid}) is no longer reported`).join("; ") || null;
    },
    driverVersion: () => version,
    onSample: listeners.add,
    refresh,
    setHolders: () => undefined,
    close: async () => {
      closed = true;
      clearInterval(pace);
      listeners.clear();
    },
  };
}

function factsOf(gpu: AmdGpu, index: number, isPresent: boolean): GpuFacts {
  return {
    uuid: gpu.uuid,
    index,
    name: gpu.name,
    memoryTotalMib: gpu.memoryTotalMib,
    simulated: false,
    migParentUuid: null,
    schedulable: isPresent,
  };
}

function sampleOf(gpu: AmdGpu, isPresent: boolean, processes: GpuProcess[]): GpuSample {
  const { uuid } = gpu;
  if (!isPresent) return { uuid, ...NOTHING, processes: [] };
  const { memoryUsedMib, utilizationPct, temperatureC, powerW, powerLimitW } = gpu;
  return { uuid, memoryUsedMib, utilizationPct, temperatureC, powerW, powerLimitW, processes };
}

const NOTHING = {
  memoryUsedMib: null,
  utilizationPct: null,
  temperatureC: null,
  powerW: null,
  powerLimitW: null,
};

function withOwners(
  gpu: AmdGpu,
  processes: readonly AmdProcess[],
  owners: ReadonlyMap<number, ProcessOwner>,
): GpuProcess[] {
  return processes
    .filter(({ busId }) => busId === gpu.busId)
    .map(({ pid, memoryMib }) => ({
      pid,
      memoryMib,
      ...(owners.get(pid) ?? { user: null, command: null, attempt: null }),
    }));
}
