import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { openProcessTable, readBootId } from "./exec/process-table.ts";

/** The process that holds this home, by the lock of its supervisor; null when none lives. */
export async function runningAgent(home: string): Promise<number | null> {
  const text = await readFile(join(home, "supervisor.lock"), "utf8").catch(() => "");
  const [bootId, pid, startTime] = text.trim().split(" ");
  if (bootId !== readBootId() || pid === undefined || startTime === undefined) return null;
  return openProcessTable().startTimeOf(Number(pid)) === startTime ? Number(pid) : null;
}
