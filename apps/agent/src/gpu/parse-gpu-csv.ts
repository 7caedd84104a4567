/** Rows of `nvidia-smi --query-gpu`. Pure: which fields to ask for, and what one line of the answer says. */
import { deviceFault, numberCell, splitCells, textCell } from "./cells.ts";

export type GpuRow = {
  /** Null where the driver refuses even that; then `index` or `busId` tell which device it is. */
  uuid: string | null;
  index: number | null;
  busId: string | null;
  /** How many devices the driver counts: a round has that many rows. */
  count: number | null;
  driverVersion: string | null;
  name: string | null;
  memoryTotalMib: number | null;
  memoryUsedMib: number | null;
  utilizationPct: number | null;
  temperatureC: number | null;
  powerW: number | null;
  powerLimitW: number | null;
  migEnabled: boolean;
  fault: string | null;
};

/** In the order asked; of alternatives the first that the driver knows. The name is last since it is free text. */
const WANTED: readonly (readonly [string, ...string[]])[] = [
  ["index"],
  ["uuid", "gpu_uuid"],
  ["pci.bus_id", "gpu_bus_id"],
  ["count"],
  ["driver_version"],
  ["memory.total"],
  ["memory.free"],
  ["memory.used"],
  ["utilization.gpu"],
  ["temperature.gpu"],
  ["power.draw"],
  ["enforced.power.limit", "power.limit"],
  ["mig.mode.current"],
  ["name", "gpu_name"],
];

/** One unknown field fails the whole query, so only fields that `--help-query-gpu` names are asked for. */
export function chooseGpuFields(known: ReadonlySet<string>): string[] {
  const chosen: string[] = [];
  for (const alternatives of WANTED) {
    const field = alternatives.find((name) => known.has(name));
    if (field !== undefined) chosen.push(field);
  }
  return chosen;
}

/** The field names in the output of `--help-query-gpu`: quoted at the start of a line, with `or` between synonyms. */
export function parseHelpFields(help: string): Set<string> {
  const fields = new Set<string>();
  for (const line of help.split("\n")) {
    if (!line.startsWith('"')) continue;
    for (const match of line.matchAll(/(?:^| or )"([A-Za-z0-9_.]+)"/g)) fields.add(match[1] as string);
  }
  return fields;
}

/** @returns null for a line that is no row: an error sentence, a header, half a line. */
export function parseGpuRow(fields: readonly string[], line: string): GpuRow | null {
  const cells = splitCells(line, fields.length);
  if (cells === null) return null;
  const at = (...names: string[]): string | undefined => {
    const column = fields.findIndex((field) => names.includes(field));
    return column < 0 ? undefined : cells[column];
  };
  const uuid = uuidCell(at("uuid", "gpu_uuid"));
  const index = numberCell(at("index"));
  if (uuid === null && index === null) return null;
  const total = numberCell(at("memory.total"));
  const free = numberCell(at("memory.free"));
  return {
    uuid,
    index,
    busId: busIdKey(at("pci.bus_id", "gpu_bus_id")),
    count: numberCell(at("count")),
    driverVersion: textCell(at("driver_version")),
    name: textCell(at("name", "gpu_name")),
    memoryTotalMib: total,
    memoryUsedMib: usedMib(total, free, numberCell(at("memory.used"))),
    utilizationPct: numberCell(at("utilization.gpu")),
    temperatureC: numberCell(at("temperature.gpu")),
    powerW: numberCell(at("power.draw")),
    powerLimitW: numberCell(at("enforced.power.limit", "power.limit")),
    migEnabled: at("mig.mode.current") === "Enabled",
    fault: cells.map(deviceFault).find((fault) => fault !== null) ?? null,
  };
}

/**
 * Memory that no job can have. Since driver 510 `memory.used` leaves out what the driver keeps for itself (614 MiB of an
 * H200), so that total − used promises more than an allocation gets; total − free does not.
 */
export function usedMib(
  totalMib: number | null,
  freeMib: number | null,
  reportedMib: number | null,
): number | null {
  if (totalMib === null || freeMib === null) return reportedMib;
  return Math.max(0, totalMib - freeMib);
}

/** Bus ids are written with 4 or 8 digits of domain and in either case; this is the one form that is compared. */
export function busIdKey(text: string | undefined): string | null {
  const match = /([0-9a-f]{4}):([0-9a-f]{2}):([0-9a-f]{2})\.([0-9a-f])$/i.exec(text ?? "");
  return match === null ? null : match[0].toLowerCase();
}

function uuidCell(cell: string | undefined): string | null {
  return cell !== undefined && /^(GPU|MIG)-[A-Za-z0-9/-]{1,90}$/.test(cell) ? cell : null;
}
