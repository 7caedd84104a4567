/**
 * What a simulated GPU shows at a moment: a pure function of its seed, of who holds it since when, and of the clock.
 * Meant to look like training: memory fills within a minute, the chip warms and cools slowly, power follows utilisation.
 */
import type { GpuFacts, GpuSample } from "@nexus/shared/protocol/messages";

export type SimulatedHolder = {
  attempt: string;
  pid: number | null;
  /** What the job asked for; null when it has the card to itself. */
  memoryMib: number | null;
  sinceMs: number;
};

export type SimulatedLoad = {
  holders: readonly SimulatedHolder[];
  /** How busy and warm it was, 0 to 1, when the holders last changed. */
  levelThen: number;
  changedAtMs: number;
};

const WARMING_MS = 30_000;
const FILLING_MS = 12_000;
const NOISE_STEP_MS = 2_000;
const IDLE = { memoryMib: 4, temperatureC: 31, powerW: 68 };
const BUSY = { utilizationPct: 93, temperatureC: 69, powerW: 610 };
const POWER_LIMIT_W = 700;

/** 0 idle to 1 busy, moving towards where the holders push it. */
export function levelAt(load: SimulatedLoad, nowMs: number): number {
  const target = load.holders.length > 0 ? 1 : 0;
  const passedMs = Math.max(0, nowMs - load.changedAtMs);
  return target + (load.levelThen - target) * Math.exp(-passedMs / WARMING_MS);
}

export function simulateGpu(gpu: GpuFacts, load: SimulatedLoad, nowMs: number): GpuSample {
  const level = levelAt(load, nowMs);
  const totalMib = gpu.memoryTotalMib ?? 0;
  const processes = load.holders.map((holder) => ({
    holder,
    memoryMib: Math.floor(targetMib(gpu, load.holders.length, holder) * filled(holder, nowMs)),
  }));
  const noise = noiseAt(gpu.uuid, nowMs);
  const isHeld = load.holders.length > 0;
  const usedMib = processes.reduce((sum, { memoryMib }) => sum + memoryMib, IDLE.memoryMib);
  return {
    uuid: gpu.uuid,
    memoryUsedMib: Math.min(totalMib, usedMib),
    utilizationPct: isHeld ? Math.round(clamp(BUSY.utilizationPct * level + noise * 7, 0, 100)) : 0,
    temperatureC: Math.round(between(IDLE.temperatureC, BUSY.temperatureC, level) + noise),
    powerW: Math.round((between(IDLE.powerW, BUSY.powerW, level) + noise * (isHeld ? 40 : 1)) * 10) / 10,
    powerLimitW: POWER_LIMIT_W,
    processes: processes.flatMap(({ holder, memoryMib }) =>
      holder.pid === null
        ? []
        : [{ pid: holder.pid, user: null, command: null, memoryMib, attempt: holder.attempt }],
    ),
  };
}

/** A job uses most of what it asked for; one that asked for a whole card takes between half and nine tenths of its share. */
function targetMib(gpu: GpuFacts, holders: number, holder: SimulatedHolder): number {
  const taste = unit(`${gpu.uuid} ${holder.attempt}`);
  if (holder.memoryMib !== null) return holder.memoryMib * (0.8 + 0.15 * taste);
  return ((gpu.memoryTotalMib ?? 0) / holders) * (0.5 + 0.4 * taste);
}

function filled(holder: SimulatedHolder, nowMs: number): number {
  return 1 - Math.exp(-Math.max(0, nowMs - holder.sinceMs) / FILLING_MS);
}

/** −1 to 1, steady within a step. */
function noiseAt(uuid: string, nowMs: number): number {
  return unit(`${uuid} ${Math.floor(nowMs / NOISE_STEP_MS)}`) * 2 - 1;
}

/** The same for a node every time, and unlike another node's. */
export function simulatedUuid(seed: string, index: number): string {
  const hex = ["a", "b", "c"].map((part) => hash(`${seed} ${index} ${part}`).toString(16).padStart(8, "0"));
  const [a, b, c] = hex as [string, string, string];
  return `GPU-sim-${a}-${b.slice(0, 4)}-${b.slice(4)}${c}`;
}

function unit(text: string): number {
  return hash(text) / 2 ** 32;
}

/** FNV-1a, then a finaliser, since neighbours in the last character would stay neighbours. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) value = Math.imul(value ^ text.charCodeAt(at), 0x01000193);
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35);
  return (value ^ (value >>> 16)) >>> 0;
}

function between(low: number, high: number, level: number): number {
  return low + (high - low) * level;
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, value));
}
