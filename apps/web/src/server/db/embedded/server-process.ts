import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";

/**
 * What the process with this id is to a data folder. A number alone proves nothing: after a crash or a reboot it may
 * belong to anything. Every Postgres process works in its data folder, so that tells ours from others.
 */
export type ServerProcess = "ours" | "ended" | "unrelated" | "none";

export function identifyServerProcess(pid: number, dataDir: string): ServerProcess {
  return process.platform === "linux" ? identifyByProc(pid, dataDir) : identifyByPs(pid, dataDir);
}

/** Server processes that outlived their postmaster. They still hold its shared memory. */
export function findServerProcesses(dataDir: string): number[] {
  if (process.platform !== "linux") return [];
  return readdirSync("/proc")
    .map(Number)
    .filter((pid) => Number.isInteger(pid) && identifyByProc(pid, dataDir) === "ours");
}

function identifyByProc(pid: number, dataDir: string): ServerProcess {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const name = stat.slice(stat.indexOf("(") + 1, stat.lastIndexOf(")"));
    const state = stat.slice(stat.lastIndexOf(")") + 2, stat.lastIndexOf(")") + 3);
    if (name !== "postgres") return "unrelated";
    // Dead, but its parent has not asked for its exit code; Postgres itself takes such a number for a live server.
    if (state === "Z" || state === "X") return "ended";
    return readlinkSync(`/proc/${pid}/cwd`) === dataDir ? "ours" : "unrelated";
  } catch (cause) {
    return isGone(cause) ? "none" : "unrelated";
  }
}

function isGone(cause: unknown): boolean {
  return cause instanceof Error && "code" in cause && (cause.code === "ENOENT" || cause.code === "ESRCH");
}

function identifyByPs(pid: number, dataDir: string): ServerProcess {
  try {
    const line = execFileSync("ps", ["-o", "stat=,command=", "-p", String(pid)], { encoding: "utf8" }).trim();
    if (line.startsWith("Z")) return "ended";
    return line.includes("postgres") && line.includes(dataDir) ? "ours" : "unrelated";
  } catch {
    return "none";
  }
}
