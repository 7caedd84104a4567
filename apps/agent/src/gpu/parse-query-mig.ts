/**
 * What only the long form of `nvidia-smi -q` tells of MIG: the memory of each instance and the instance of each process.
 * Lines are `name : value`, four spaces deeper per level. Fed line by line, since a loop never ends its output.
 */
import { numberCell } from "./cells.ts";
import { busIdKey, usedMib } from "./parse-gpu-csv.ts";

export type MigReading = {
  busId: string;
  device: number;
  gpuInstance: number | null;
  computeInstance: number | null;
  memoryTotalMib: number | null;
  memoryUsedMib: number | null;
};
export type MigProcess = { busId: string; gpuInstance: number; computeInstance: number; pid: number };
export type MigRound = { readings: MigReading[]; processes: MigProcess[] };

export type MigQueryParser = {
  /** @returns the round before, when this line begins the next. */
  line(text: string): MigRound | null;
  /** The round so far, for when the output has gone quiet. */
  take(): MigRound | null;
};

export function createMigQueryParser(): MigQueryParser {
  let round: MigRound = { readings: [], processes: [] };
  let seen = false;
  let busId = "";
  let section = "";
  let memory: { isFrame: boolean; total: number | null; free: number | null } | null = null;
  let process = { gpuInstance: -1, computeInstance: -1 };

  function take(): MigRound | null {
    if (!seen) return null;
    const whole = round;
    round = { readings: [], processes: [] };
    seen = false;
    return whole;
  }

  function line(text: string): MigRound | null {
    if (text.includes("NVSMI LOG")) return take();
    const indent = text.length - text.trimStart().length;
    const colon = text.indexOf(" : ");
    const name = (colon < 0 ? text : text.slice(0, colon)).trim();
    const value = colon < 0 ? "" : text.slice(colon + 3).trim();
    if (indent === 0) {
      const bus = /^GPU ([0-9a-fA-F:.]+)$/.exec(name);
      busId = (bus === null ? null : busIdKey(bus[1])) ?? "";
      section = "";
      seen ||= busId !== "";
    } else if (indent === 4) {
      section = name;
      if (section === "MIG Device") round.readings.push(emptyReading(busId));
    } else if (section === "MIG Device") migLine(indent, name, value);
    else if (section === "Processes") processLine(name, value);
    return null;
  }

  function migLine(indent: number, name: string, value: string): void {
    const reading = round.readings.at(-1);
    if (reading === undefined) return;
    if (indent === 8) {
      memory = { isFrame: /^(Shared )?FB Memory Usage$/.test(name), total: null, free: null };
      if (name === "Index") reading.device = numberCell(value) ?? -1;
      if (name === "GPU Instance ID") reading.gpuInstance = numberCell(value);
      if (name === "Compute Instance ID") reading.computeInstance = numberCell(value);
      return;
    }
    if (indent !== 12 || memory === null || !memory.isFrame) return;
    if (name === "Total") memory.total = reading.memoryTotalMib = numberCell(value);
    if (name === "Used") reading.memoryUsedMib = numberCell(value);
    if (name === "Free") memory.free = numberCell(value);
    reading.memoryUsedMib = usedMib(memory.total, memory.free, reading.memoryUsedMib);
  }

  function processLine(name: string, value: string): void {
    if (name === "GPU instance ID") process.gpuInstance = numberCell(value) ?? -1;
    if (name === "Compute instance ID") process.computeInstance = numberCell(value) ?? -1;
    const pid = name === "Process ID" ? numberCell(value) : null;
    if (pid === null) return;
    if (process.gpuInstance >= 0) round.processes.push({ busId, ...process, pid });
    process = { gpuInstance: -1, computeInstance: -1 };
  }

  return { line, take };
}

function emptyReading(busId: string): MigReading {
  return {
    busId,
    device: -1,
    gpuInstance: null,
    computeInstance: null,
    memoryTotalMib: null,
    memoryUsedMib: null,
  };
}
