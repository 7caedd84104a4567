/**
 * How busy the machine is. Owns the processor counters of the last call: utilisation is what happened between two calls, so
 * the first one knows none. Reads two small files and asks the file system once; on other systems than Linux it asks `os`.
 */
import { readFile, statfs } from "node:fs/promises";
import { cpus, freemem, loadavg, totalmem } from "node:os";
import type { HostSample } from "@nexus/shared/protocol/messages";
import { memoryTotalMib } from "./facts.ts";

export type HostSampler = { sample(): Promise<HostSample> };

export type HostSamplerOptions = {
  /** The agent's home: logs and job folders grow here. */
  diskPath: string;
  procRoot?: string;
};

export type CpuTicks = { busy: number; total: number };

const MIB = 1024 * 1024;

export function createHostSampler(options: HostSamplerOptions): HostSampler {
  const procRoot = options.procRoot ?? "/proc";
  let last: CpuTicks | null = null;

  return {
    async sample() {
      const [stat, meminfo, disk] = await Promise.all([
        text(`${procRoot}/stat`),
        text(`${procRoot}/meminfo`),
        readDisk(options.diskPath),
      ]);
      const now = stat === null ? osTicks() : parseCpuTicks(stat);
      const cpuPct = last === null || now === null ? null : cpuPctBetween(last, now);
      last = now;
      const totalMib = memoryTotalMib();
      const availableMib = isLimited() ? bytesToMib(process.availableMemory()) : machineAvailableMib(meminfo);
      return {
        cpuPct,
        load1: Math.round((loadavg()[0] ?? 0) * 100) / 100,
        memoryUsedMib: availableMib === null ? null : Math.max(0, totalMib - availableMib),
        memoryTotalMib: totalMib,
        diskFreeMib: disk?.freeMib ?? null,
        diskTotalMib: disk?.totalMib ?? null,
      };
    },
  };
}

/** Under a control group's limit, as in a container, the machine's free memory is not ours. */
function isLimited(): boolean {
  const limit = process.constrainedMemory();
  return limit > 0 && limit < totalmem();
}

function machineAvailableMib(meminfo: string | null): number | null {
  return meminfo === null ? bytesToMib(freemem()) : parseAvailableMib(meminfo);
}

function bytesToMib(bytes: number): number {
  return Math.floor(bytes / MIB);
}

/** @param stat the content of /proc/stat: `cpu user nice system idle iowait irq softirq steal guest guest_nice` */
export function parseCpuTicks(stat: string): CpuTicks | null {
  const line = /^cpu +(.+)$/m.exec(stat)?.[1];
  if (line === undefined) return null;
  // Guest time is counted in user time already.
  const ticks = line.trim().split(/ +/).slice(0, 8).map(Number);
  const total = ticks.reduce((sum, value) => sum + value, 0);
  const idle = (ticks[3] ?? 0) + (ticks[4] ?? 0);
  return Number.isFinite(total) ? { busy: total - idle, total } : null;
}

/** Null when no tick passed. A counter that ran backwards, as iowait does, counts as nothing. */
export function cpuPctBetween(before: CpuTicks, after: CpuTicks): number | null {
  const total = after.total - before.total;
  if (total <= 0) return null;
  const part = Math.min(1, Math.max(0, (after.busy - before.busy) / total));
  return Math.round(part * 1000) / 10;
}

/** What the kernel could give without swapping, page cache included; "free" would call a warm cache used. */
export function parseAvailableMib(meminfo: string): number | null {
  const kib = /^MemAvailable: +(\d+) kB$/m.exec(meminfo)?.[1];
  return kib === undefined ? null : Math.floor(Number(kib) / 1024);
}

function osTicks(): CpuTicks {
  const ticks: CpuTicks = { busy: 0, total: 0 };
  for (const { times } of cpus()) {
    const busy = times.user + times.nice + times.sys + times.irq;
    ticks.busy += busy;
    ticks.total += busy + times.idle;
  }
  return ticks;
}

async function readDisk(path: string): Promise<{ freeMib: number; totalMib: number } | null> {
  return statfs(path).then(
    ({ bavail, blocks, bsize }) => ({
      freeMib: bytesToMib(bavail * bsize),
      totalMib: bytesToMib(blocks * bsize),
    }),
    () => null,
  );
}

async function text(path: string): Promise<string | null> {
  return readFile(path, "utf8").catch(() => null);
}
