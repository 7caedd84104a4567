/** What a machine without an agent says of itself and of its GPUs. Pure: lines go in, the protocol's facts come out. */
import type { GpuFacts, GpuSample, HostFacts, HostSample } from "@nexus/shared/protocol/messages";

/** In the order asked; the name is last, since it is free text. */
export const GPU_FIELDS = [
  "index",
  "uuid",
  "memory.total",
  "memory.free",
  "memory.used",
  "utilization.gpu",
  "temperature.gpu",
  "power.draw",
  "power.limit",
  "driver_version",
  "name",
] as const;
export const APP_FIELDS = ["gpu_uuid", "pid", "used_memory", "process_name"] as const;

const UUID = /^(GPU|MIG)-[A-Za-z0-9/-]{1,90}$/;

export type GpuRow = { facts: GpuFacts; sample: Omit<GpuSample, "processes">; driverVersion: string | null };
export type AppRow = { uuid: string; pid: number; memoryMib: number | null; command: string };

/** Null for a line that is no row. */
export function readGpuRow(line: string): GpuRow | null {
  const cells = line.split(",").map((cell) => cell.trim());
  if (cells.length < GPU_FIELDS.length) return null;
  const [index, uuid = "", total, free, used, utilization, temperature, power, limit, driver, ...name] =
    cells;
  if (!UUID.test(uuid)) return null;
  const [totalMib, freeMib] = [numberOf(total), numberOf(free)];
  // What the driver keeps for itself counts as used: no job can have it.
  const usedMib = totalMib === null || freeMib === null ? numberOf(used) : Math.max(0, totalMib - freeMib);
  return {
    facts: {
      ...{ uuid, index: numberOf(index) ?? 0, name: name.join(", ") },
      ...{ memoryTotalMib: totalMib, simulated: false, migParentUuid: null, schedulable: true },
    },
    sample: {
      ...{ uuid, memoryUsedMib: usedMib, utilizationPct: numberOf(utilization) },
      ...{ temperatureC: numberOf(temperature), powerW: numberOf(power), powerLimitW: numberOf(limit) },
    },
    driverVersion: driver !== undefined && /^[\d.]+$/.test(driver) ? driver : null,
  };
}

export function readAppRow(line: string): AppRow | null {
  const [uuid = "", pid, memory, ...command] = line.split(",").map((cell) => cell.trim());
  if (!UUID.test(uuid) || numberOf(pid) === null) return null;
  return { uuid, pid: Number(pid), memoryMib: numberOf(memory), command: command.join(", ") };
}

/** Of `key value` lines, for the facts that do not change. */
export function readHostFacts(lines: readonly string[], gpus: readonly GpuRow[]): HostFacts {
  const one = (key: string) =>
    lines
      .find((line) => line.startsWith(`${key} `))
      ?.slice(key.length + 1)
      .trim() ?? "";
  return {
    hostname: one("hostname") || "unknown",
    os: one("os") || one("kind"),
    kernel: one("kernel"),
    arch: one("arch"),
    cpuModel: one("cpu"),
    cpuCount: Math.max(1, numberOf(one("cpus")) ?? 1),
    memoryTotalMib: Math.round((numberOf(one("memory")) ?? 0) / 1024),
    user: one("user"),
    bootId: one("boot"),
    agentVersion: "none (over SSH)",
    nodeVersion: "none",
    gpuDriver: gpus.length > 0 ? "nvidia" : "none",
    gpuDriverVersion: gpus[0]?.driverVersion ?? null,
    gpuProblem: one("gpu_problem") || null,
    containsJobs: false,
  };
}

/** `load used total free`: the last three in KiB. */
export function readHostSample(text: string): HostSample {
  const [load, used, total, free] = text.trim().split(/\s+/).map(numberOf);
  const mib = (kib: number | null | undefined) => (kib == null ? null : Math.round(kib / 1024));
  return {
    cpuPct: null,
    load1: load ?? null,
    memoryUsedMib: mib(used),
    memoryTotalMib: mib(total),
    diskFreeMib: mib(free),
  };
}

function numberOf(text: string | undefined): number | null {
  return text !== undefined && /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : null;
}
