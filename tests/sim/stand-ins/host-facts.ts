/** In place of apps/agent/src/host/facts.ts and sample.ts: a plain machine. */
import type { HostFacts, HostSample } from "@nexus/shared/protocol/messages";
import { machineOfProgram } from "../world/machine.ts";

type FactsOptions = {
  agentVersion: string;
  gpu: Pick<HostFacts, "gpuDriver" | "gpuDriverVersion" | "gpuProblem">;
};

export async function readHostFacts({ agentVersion, gpu }: FactsOptions): Promise<HostFacts> {
  const { name, bootId } = machineOfProgram();
  return {
    hostname: name,
    os: "Debian 12",
    kernel: "6.1",
    arch: "x64",
    cpuModel: "Xeon",
    cpuCount: 1,
    memoryTotalMib: 64_000,
    user: "nexus",
    bootId,
    agentVersion,
    nodeVersion: "24.0.0",
    ...gpu,
    place: { machine: name, home: "home" },
  };
}

export function createHostSampler() {
  const machine = machineOfProgram();
  return {
    async sample(): Promise<HostSample> {
      const diskFreeMib = Math.min(1_000_000, Math.max(0, Math.floor(machine.disk.freeBytes / 2 ** 20)));
      return { cpuPct: 1, load1: 0, memoryUsedMib: 1, memoryTotalMib: 2, diskFreeMib };
    },
  };
}
