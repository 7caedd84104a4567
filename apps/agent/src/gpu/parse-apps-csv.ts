/** Rows of `nvidia-smi --query-compute-apps`: who holds memory on which device. A round without processes prints nothing. */
import { numberCell, splitCells, textCell } from "./cells.ts";

export type AppRow = {
  /** The device; with MIG the card, whichever instance the process is in. */
  uuid: string;
  pid: number;
  /** Null under WDDM and without permission. */
  memoryMib: number | null;
  /** Path of the executable as the driver has it; null where it may not be told, as from inside a container. */
  processName: string | null;
};

/** The name is last: a path may hold commas. */
export const APP_FIELDS = ["gpu_uuid", "pid", "used_memory", "process_name"] as const;

/** @returns null for a line that is no row. */
export function parseAppRow(line: string): AppRow | null {
  const cells = splitCells(line, APP_FIELDS.length);
  if (cells === null) return null;
  const [uuid, pidText, memory, name] = cells;
  const pid = numberCell(pidText);
  if (uuid === undefined || !/^(GPU|MIG)-/.test(uuid) || pid === null || pid <= 0) return null;
  return { uuid, pid, memoryMib: numberCell(memory), processName: textCell(name) };
}
