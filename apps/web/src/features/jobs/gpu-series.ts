/** Samples of several GPUs as columns over one time axis, as a chart wants them. Pure. */
import type { GpuPoint } from "@nexus/shared/api/schemas";

export type GpuSeries = {
  timesMs: number[];
  uuids: string[];
  memoryGib: (number | null)[][];
  utilizationPct: (number | null)[][];
};

export function gpuSeries(points: readonly GpuPoint[], order: readonly string[]): GpuSeries {
  const timesMs = [...new Set(points.map(({ atMs }) => atMs))].sort((a, b) => a - b);
  const seen = new Set(points.map(({ uuid }) => uuid));
  const uuids = [
    ...order.filter((uuid) => seen.has(uuid)),
    ...[...seen].filter((uuid) => !order.includes(uuid)),
  ];
  const row = new Map(timesMs.map((atMs, index) => [atMs, index]));
  const columns = () => uuids.map(() => new Array<number | null>(timesMs.length).fill(null));
  const memoryGib = columns();
  const utilizationPct = columns();
  for (const point of points) {
    const column = uuids.indexOf(point.uuid);
    const at = row.get(point.atMs) ?? 0;
    const memory = memoryGib[column];
    const utilization = utilizationPct[column];
    if (memory) memory[at] = point.memoryUsedMib === null ? null : point.memoryUsedMib / 1024;
    if (utilization) utilization[at] = point.utilizationPct;
  }
  return { timesMs, uuids, memoryGib, utilizationPct };
}
