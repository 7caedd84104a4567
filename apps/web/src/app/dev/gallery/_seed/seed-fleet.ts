/** Characters of the gallery: a small lab with machines of every kind and trouble. */
import type { Gpu, Target } from "@nexus/shared/api/schemas";

const GIB = 1024;

type GpuSeed = {
  model: string;
  memoryGib: number;
  usedGib?: number;
  busyPct?: number | null;
  holder?: { job: string; user: string; memoryGib?: number };
  foreign?: { user: string; memoryGib: number };
  blocked?: boolean;
  simulated?: boolean;
};

function gpu({ node, index, nowMs }: { node: string; index: number; nowMs: number }, seed: GpuSeed): Gpu {
  const uuid = `GPU-${node}-0000-0000-0000-00000000000${index}`;
  const used = (seed.usedGib ?? 0.4) * GIB;
  return {
    uuid,
    index,
    name: seed.model,
    memoryTotalMib: seed.memoryGib * GIB,
    simulated: seed.simulated ?? false,
    migParentUuid: null,
    schedulable: true,
    blocked: seed.blocked ?? false,
    sampledAtMs: nowMs,
    sample: {
      uuid,
      memoryUsedMib: used,
      utilizationPct: seed.busyPct === undefined ? 0 : seed.busyPct,
      temperatureC: 34 + (seed.busyPct ?? 0) * 0.35,
      powerW: 70 + (seed.busyPct ?? 0) * 5.6,
      powerLimitW: 700,
      processes: [
        ...(seed.holder
          ? [{ pid: 4000 + index, user: "nexus", command: "python", memoryMib: used * 0.97, attempt: "a_1" }]
          : []),
        ...(seed.foreign
          ? [
              {
                pid: 5000 + index,
                user: seed.foreign.user,
                command: "jupyter",
                memoryMib: seed.foreign.memoryGib * GIB,
                attempt: null,
              },
            ]
          : []),
      ],
    },
    holders: seed.holder
      ? [
          {
            job: seed.holder.job,
            user: seed.holder.user,
            gpuMemoryMib: seed.holder.memoryGib ? seed.holder.memoryGib * GIB : null,
          },
        ]
      : [],
  };
}

type TargetSeed = Partial<Target> & {
  id: string;
  name: string;
  seeds: GpuSeed[];
  cpuCount?: number;
  memoryGib?: number;
};

function target({ seeds, cpuCount = 96, memoryGib = 1024, ...rest }: TargetSeed, nowMs: number): Target {
  return {
    kind: "agent",
    state: "connected",
    stateSinceMs: nowMs - 3 * 86_400_000,
    cordoned: false,
    draining: false,
    labels: {},
    jobsActive: seeds.filter((seed) => seed.holder).length,
    notice: null,
    lastSeenAtMs: nowMs - 800,
    createdAtMs: nowMs - 40 * 86_400_000,
    facts: {
      hostname: rest.name,
      os: "Debian GNU/Linux 12",
      kernel: "6.1.0-31-amd64",
      arch: "x64",
      cpuModel: "AMD EPYC 9454",
      cpuCount,
      memoryTotalMib: memoryGib * GIB,
      user: "nexus",
      bootId: "b",
      agentVersion: "0.1.0",
      nodeVersion: "24.21.0",
      gpuDriver: seeds.length === 0 ? "none" : "nvidia",
      gpuDriverVersion: "570.124.06",
      gpuProblem: null,
    },
    host: {
      cpuPct: 37,
      load1: 21.4,
      memoryUsedMib: memoryGib * GIB * 0.3,
      memoryTotalMib: memoryGib * GIB,
      diskFreeMib: 800 * GIB,
    },
    ...rest,
    gpus: seeds.map((seed, index) => gpu({ node: rest.name, index, nowMs }, seed)),
  };
}

const H100 = { model: "NVIDIA H100 80GB HBM3", memoryGib: 80 };
const A100 = { model: "NVIDIA A100-SXM4-40GB", memoryGib: 40 };

export function seedFleet(nowMs: number): Target[] {
  const alice = (job: string) => ({ job, user: "alice" });
  return [
    target(
      {
        id: "t_ada0000001",
        name: "ada",
        labels: { role: "training", rack: "b2" },
        seeds: [
          { ...H100, usedGib: 71.4, busyPct: 98, holder: alice("j_7k2m9x4tqa") },
          { ...H100, usedGib: 71.2, busyPct: 97, holder: alice("j_7k2m9x4tqa") },
          { ...H100, usedGib: 70.9, busyPct: 99, holder: alice("j_7k2m9x4tqa") },
          { ...H100, usedGib: 71.1, busyPct: 96, holder: alice("j_7k2m9x4tqa") },
          { ...H100, usedGib: 33.6, busyPct: 62, holder: { job: "j_9d3w8r2vyb", user: "bjarne" } },
          {
            ...H100,
            usedGib: 18.2,
            busyPct: 41,
            holder: { job: "j_4h6n1c8e5s", user: "chidi", memoryGib: 20 },
          },
          { ...H100, usedGib: 0.5, busyPct: 0 },
          { ...H100, usedGib: 0.4, busyPct: 0 },
        ],
      },
      nowMs,
    ),
    target(
      {
        id: "t_turing0002",
        name: "turing",
        labels: { role: "research" },
        notice: {
          level: "warning",
          code: "disk_low",
          message:
            "Only 2.1 GiB are left where jobs write their logs. Older logs that are safe here are removed first.",
          atMs: nowMs - 240_000,
        },
        seeds: [
          { ...A100, usedGib: 22.8, busyPct: 74, foreign: { user: "root", memoryGib: 22.4 } },
          { ...A100, usedGib: 38.2, busyPct: 88, holder: { job: "j_2x5z7q9m3k", user: "dana" } },
          { ...A100, usedGib: 0.4, busyPct: 0, blocked: true },
          { ...A100, usedGib: 0.4, busyPct: null },
        ],
      },
      nowMs,
    ),
    target(
      {
        id: "t_lamarr0003",
        name: "lamarr",
        state: "unreachable",
        stateSinceMs: nowMs - 95_000,
        lastSeenAtMs: nowMs - 95_000,
        labels: { role: "inference" },
        seeds: [
          {
            model: "NVIDIA L40S",
            memoryGib: 48,
            usedGib: 31.2,
            busyPct: 55,
            holder: { job: "j_8b1t6y4p0w", user: "alice" },
          },
          { model: "NVIDIA L40S", memoryGib: 48, usedGib: 0.4, busyPct: 0 },
        ],
      },
      nowMs,
    ),
    target(
      {
        id: "t_demo000004",
        name: "playground",
        cordoned: true,
        cpuCount: 8,
        memoryGib: 32,
        seeds: Array.from({ length: 4 }, () => ({
          model: "Simulated 80 GiB",
          memoryGib: 80,
          simulated: true,
          usedGib: 0,
          busyPct: 0,
        })),
      },
      nowMs,
    ),
    target(
      {
        id: "t_build00005",
        name: "build-1",
        labels: { role: "build" },
        cpuCount: 64,
        memoryGib: 256,
        seeds: [],
        jobsActive: 2,
      },
      nowMs,
    ),
    target(
      {
        id: "t_noether006",
        name: "noether",
        state: "offline",
        stateSinceMs: nowMs - 9 * 3_600_000,
        lastSeenAtMs: nowMs - 9 * 3_600_000,
        facts: null,
        host: null,
        seeds: [],
      },
      nowMs,
    ),
  ];
}

/** The next second of a fleet: busy GPUs breathe. */
export function stepFleet(targets: readonly Target[], nowMs: number): Target[] {
  return targets
    .filter((one) => one.state === "connected" && one.gpus.length > 0)
    .map((one) => ({
      ...one,
      lastSeenAtMs: nowMs,
      gpus: one.gpus.map((each) => {
        const before = each.sample?.utilizationPct;
        if (!each.sample || !before) return { ...each, sampledAtMs: nowMs };
        const busy = Math.max(12, Math.min(100, before + (Math.random() - 0.5) * 16));
        return {
          ...each,
          sampledAtMs: nowMs,
          sample: { ...each.sample, utilizationPct: busy, powerW: 70 + busy * 5.6 },
        };
      }),
    }));
}
