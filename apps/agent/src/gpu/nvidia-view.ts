/**
 * From what nvidia-smi said to what the agent reports. Pure. A device once seen stays in the list: one that falls off the
 * bus must be seen to be lost, not silently missing.
 */
import type { GpuFacts, GpuProcess, GpuSample } from "@nexus/shared/protocol/messages";
import type { GpuRow } from "./parse-gpu-csv.ts";
import { type ListedGpu, type ListedInstance, profileMemoryMib } from "./parse-list.ts";
import type { MigReading, MigRound } from "./parse-query-mig.ts";

export type KnownGpu = {
  uuid: string;
  index: number;
  busId: string | null;
  name: string;
  memoryTotalMib: number | null;
  migEnabled: boolean;
};

/** A process on a device as nvidia-smi names it: the card, also for a process inside an instance. */
export type OwnedProcess = GpuProcess & { uuid: string };

export type NvidiaInput = {
  known: readonly KnownGpu[];
  rows: readonly GpuRow[];
  listed: readonly ListedGpu[];
  lostBusIds: ReadonlySet<string>;
  mig: MigRound | null;
  processes: readonly OwnedProcess[];
};

export type NvidiaView = { facts: GpuFacts[]; samples: GpuSample[]; faults: string[] };

/** Takes up what a round and a listing teach of the devices; the driver's numbers replace older ones. */
export function learnGpus(
  known: readonly KnownGpu[],
  rows: readonly GpuRow[],
  listed: readonly ListedGpu[],
): KnownGpu[] {
  const byUuid = new Map(known.map((gpu) => [gpu.uuid, gpu]));
  for (const { uuid, index, name } of listed) {
    if (!byUuid.has(uuid))
      byUuid.set(uuid, { uuid, index, name, busId: null, memoryTotalMib: null, migEnabled: false });
  }
  for (const row of rows) {
    if (row.uuid === null || row.fault !== null) continue;
    const before = byUuid.get(row.uuid);
    byUuid.set(row.uuid, {
      uuid: row.uuid,
      index: row.index ?? before?.index ?? byUuid.size,
      busId: row.busId ?? before?.busId ?? null,
      name: row.name ?? before?.name ?? "NVIDIA GPU",
      memoryTotalMib: row.memoryTotalMib ?? before?.memoryTotalMib ?? null,
      migEnabled: row.migEnabled,
    });
  }
  return [...byUuid.values()].sort((a, b) => a.index - b.index);
}

export function nvidiaView(input: NvidiaInput): NvidiaView {
  const view: NvidiaView = { facts: [], samples: [], faults: [] };
  for (const gpu of input.known) {
    const row = rowOf(gpu, input.rows);
    const fault = faultOf(gpu, row, input.lostBusIds);
    if (fault !== null) view.faults.push(`GPU ${gpu.index} (${gpu.uuid}) ${fault}`);
    const listed = input.listed.find(({ uuid }) => uuid === gpu.uuid);
    const instances = gpu.migEnabled ? (listed?.instances ?? []) : [];
    const placed = placeProcesses(gpu, instances, input);
    view.facts.push({
      uuid: gpu.uuid,
      index: gpu.index,
      name: gpu.name,
      memoryTotalMib: gpu.memoryTotalMib,
      simulated: false,
      migParentUuid: null,
      schedulable: fault === null && !gpu.migEnabled,
    });
    view.samples.push(sampleOf(gpu.uuid, fault === null ? row : undefined, placed.get(gpu.uuid)));
    for (const instance of instances) {
      const reading = readingOf(gpu, instance, input.mig);
      view.facts.push({ ...instanceFacts(gpu, instance, reading), schedulable: fault === null });
      const memoryUsedMib = reading?.memoryUsedMib ?? null;
      view.samples.push({ ...sampleOf(instance.uuid, undefined, placed.get(instance.uuid)), memoryUsedMib });
    }
  }
  for (const busId of input.lostBusIds) {
    // One that was lost before the agent started has no UUID to list it by.
    if (!input.known.some((gpu) => gpu.busId === busId)) view.faults.push(`a GPU at ${busId} ${FELL_OFF}`);
  }
  return view;
}

const FELL_OFF = "fell off the bus; the node needs a reboot";

/** A faulted row may hide its UUID; its bus id or, at last, its index still tells which device it is. */
function rowOf(gpu: KnownGpu, rows: readonly GpuRow[]): GpuRow | undefined {
  return (
    rows.find((row) => row.uuid === gpu.uuid) ??
    rows.find(
      (row) => row.uuid === null && (row.busId === null ? row.index === gpu.index : row.busId === gpu.busId),
    )
  );
}

function faultOf(gpu: KnownGpu, row: GpuRow | undefined, lostBusIds: ReadonlySet<string>): string | null {
  if (gpu.busId !== null && lostBusIds.has(gpu.busId)) return FELL_OFF;
  if (row === undefined) return "gives no data";
  if (row.fault === "GPU is lost") return FELL_OFF;
  if (row.fault !== null) return "must be reset before it can be used again";
  return null;
}

function sampleOf(uuid: string, row: GpuRow | undefined, processes: GpuProcess[] = []): GpuSample {
  return {
    uuid,
    memoryUsedMib: row?.memoryUsedMib ?? null,
    utilizationPct: row?.utilizationPct ?? null,
    temperatureC: row?.temperatureC ?? null,
    powerW: row?.powerW ?? null,
    powerLimitW: row?.powerLimitW ?? null,
    processes,
  };
}

function readingOf(gpu: KnownGpu, instance: ListedInstance, mig: MigRound | null): MigReading | undefined {
  return mig?.readings.find(({ busId, device }) => busId === gpu.busId && device === instance.device);
}

function instanceFacts(
  gpu: KnownGpu,
  instance: ListedInstance,
  reading: MigReading | undefined,
): Omit<GpuFacts, "schedulable"> {
  return {
    uuid: instance.uuid,
    index: gpu.index,
    name: `${gpu.name} MIG ${instance.profile}`,
    memoryTotalMib: reading?.memoryTotalMib ?? profileMemoryMib(instance.profile),
    simulated: false,
    migParentUuid: gpu.uuid,
  };
}

/** The process list names the card; `nvidia-smi -q` tells the instance by its two ids. What it does not tell stays with the card. */
function placeProcesses(
  gpu: KnownGpu,
  instances: readonly ListedInstance[],
  input: NvidiaInput,
): Map<string, GpuProcess[]> {
  const placed = new Map<string, GpuProcess[]>();
  for (const { uuid, ...process } of input.processes) {
    const isHere = uuid === gpu.uuid;
    if (!isHere && !instances.some((instance) => instance.uuid === uuid)) continue;
    const device = isHere ? deviceOf(gpu, process.pid, input.mig) : undefined;
    const home = instances.find((instance) => instance.device === device)?.uuid ?? uuid;
    placed.set(home, [...(placed.get(home) ?? []), process]);
  }
  return placed;
}

function deviceOf(gpu: KnownGpu, pid: number, mig: MigRound | null): number | undefined {
  const process = mig?.processes.find((found) => found.busId === gpu.busId && found.pid === pid);
  if (process === undefined) return undefined;
  return mig?.readings.find(
    (reading) =>
      reading.busId === gpu.busId &&
      reading.gpuInstance === process.gpuInstance &&
      reading.computeInstance === process.computeInstance,
  )?.device;
}
