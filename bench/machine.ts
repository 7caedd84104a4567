import { readFileSync } from "node:fs";
import { availableParallelism, cpus, release, totalmem, type } from "node:os";

/** What a figure is worth nothing without. */
export type Machine = { cpu: string; cores: number; memoryGib: number; kernel: string; node: string };

export function describeMachine(): Machine {
  return {
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    cores: availableParallelism(),
    memoryGib: Math.round(totalmem() / 2 ** 30),
    kernel: `${type()} ${release()}`,
    node: process.version,
  };
}

const PROBE_MS = 300;
const PROBES_MAX = 10;
const QUIET_SHARE = 0.1;

/**
 * Waits up to 3 s until others leave the machine alone, and answers the share of all cores they took in the last
 * look: a figure measured beside other work is marked. Where /proc/stat is missing nothing is known.
 */
export async function waitForQuiet(): Promise<number | undefined> {
  let busy: number | undefined;
  for (let probe = 0; probe < PROBES_MAX; probe += 1) {
    busy = await lookAtLoad();
    if (busy === undefined || busy < QUIET_SHARE) break;
  }
  return busy;
}

async function lookAtLoad(): Promise<number | undefined> {
  const before = readTicks();
  await new Promise((resolve) => setTimeout(resolve, PROBE_MS));
  const after = readTicks();
  if (!before || !after || after.all === before.all) return undefined;
  return 1 - (after.idle - before.idle) / (after.all - before.all);
}

function readTicks(): { all: number; idle: number } | undefined {
  try {
    const [, ...fields] = readFileSync("/proc/stat", "utf8").split("\n", 1)[0]?.trim().split(/\s+/) ?? [];
    const ticks = fields.slice(0, 8).map(Number);
    return { all: ticks.reduce((sum, one) => sum + one, 0), idle: (ticks[3] ?? 0) + (ticks[4] ?? 0) };
  } catch {
    return undefined;
  }
}
