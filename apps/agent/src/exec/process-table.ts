import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import type { ProcessTable } from "./process-row.ts";
import { procTable } from "./process-table-proc.ts";
import { psTable } from "./process-table-ps.ts";

/** Two sources: /proc (Linux), or ps (macOS). */
export function openProcessTable(
  kind: "proc" | "ps" = existsSync("/proc/self/stat") ? "proc" : "ps",
): ProcessTable {
  return kind === "proc" ? procTable() : psTable();
}

/** Changes with every start of the machine. */
export function readBootId(): string {
  try {
    return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  } catch {
    return execFileSync("sysctl", ["-n", "kern.bootsessionuuid"], { encoding: "utf8", timeout: 5000 }).trim();
  }
}
