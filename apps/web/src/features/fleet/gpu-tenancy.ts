/** Who uses a GPU, as the cell shows it. Pure. */
import type { Gpu } from "@nexus/shared/api/schemas";

export type Tenancy = {
  /** Shares of the memory, 0..1: of Nexus jobs, of processes outside Nexus, of what no process owns up to. */
  jobsPart: number;
  foreignPart: number;
  otherPart: number;
  /** Users with processes outside Nexus, or what they run when the user is not known. */
  foreign: string[];
};

export function gpuTenancy(gpu: Gpu): Tenancy {
  const total = gpu.memoryTotalMib ?? 0;
  const processes = gpu.sample?.processes ?? [];
  const used = gpu.sample?.memoryUsedMib ?? 0;
  const memoryOf = (ours: boolean) =>
    processes
      .filter(({ attempt }) => (attempt !== null) === ours)
      .reduce((sum, { memoryMib }) => sum + (memoryMib ?? 0), 0);
  const jobs = memoryOf(true);
  const foreign = memoryOf(false);
  const part = (mib: number) => (total === 0 ? 0 : Math.min(1, mib / total));
  return {
    jobsPart: part(jobs),
    foreignPart: part(foreign),
    otherPart: part(Math.max(0, used - jobs - foreign)),
    foreign: [
      ...new Set(
        processes
          .filter(({ attempt }) => attempt === null)
          .map(({ user, command, pid }) => user ?? command ?? `pid ${pid}`),
      ),
    ],
  };
}

/** "8× H100 80GB HBM3", or each model with its count. */
export function gpuModels(gpus: readonly Gpu[]): string {
  const counts = new Map<string, number>();
  for (const gpu of gpus) counts.set(shortModel(gpu.name), (counts.get(shortModel(gpu.name)) ?? 0) + 1);
  return Array.from(counts, ([model, count]) => `${count}× ${model}`).join(", ");
}

function shortModel(name: string): string {
  return name
    .replace(/^(NVIDIA|AMD|Advanced Micro Devices,? Inc\.?)\s+/i, "")
    .replace(/^(GeForce|Instinct)\s+/i, "");
}
