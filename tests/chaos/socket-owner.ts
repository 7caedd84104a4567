import { readdirSync, readFileSync, readlinkSync } from "node:fs";

/** Which of these processes has the socket whose own port is `port`; null when none has it any more. Linux only. */
export function socketOwner(port: number, pids: readonly number[]): number | null {
  const inode = inodeOf(port);
  if (inode === null) return null;
  return pids.find((pid) => socketsOf(pid).includes(inode)) ?? null;
}

function inodeOf(port: number): string | null {
  const own = port.toString(16).toUpperCase().padStart(4, "0");
  for (const line of readFileSync("/proc/net/tcp", "utf8").split("\n").slice(1)) {
    const words = line.trim().split(/\s+/);
    if (words[1]?.endsWith(`:${own}`)) return words[9] ?? null;
  }
  return null;
}

function socketsOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
      try {
        return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1] ?? [];
      } catch {
        return [];
      }
    });
  } catch {
    return [];
  }
}
