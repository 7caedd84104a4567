import type { HostFacts } from "@nexus/shared/protocol/messages";

/** What a node without jobs and GPUs tells of itself. */
export const SIMULATED_FACTS: HostFacts = {
  hostname: "simulated",
  os: "Linux",
  kernel: "6.1",
  arch: "x64",
  cpuModel: "simulated",
  cpuCount: 2,
  memoryTotalMib: 1024,
  user: "nexus",
  bootId: "boot-1",
  agentVersion: "0.1.0",
  nodeVersion: "24.0.0",
  gpuDriver: "none",
  gpuDriverVersion: null,
  gpuProblem: null,
};
