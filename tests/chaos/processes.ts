/** What runs on this machine, read from /proc. */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";

export type Seen = { pid: number; session: number; state: string; command: string };

export function processes(): Seen[] {
  return readdirSync("/proc").flatMap((name) => (/^\d+$/.test(name) ? (seen(Number(name)) ?? []) : []));
}

function seen(pid: number): Seen | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const [state = "", , , session = "0"] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const command = readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ").trim();
    return { pid, session: Number(session), state, command };
  } catch {
    return null;
  }
}

/** With this text in its environment: a job inherits its marker to all that it starts. */
export function processesMarked(marker: string): Seen[] {
  return processes().filter(({ pid, state }) => {
    if (state === "Z") return false;
    try {
      return `\0${readFileSync(`/proc/${pid}/environ`, "latin1")}`.includes(`\0${marker}\0`);
    } catch {
      return false;
    }
  });
}

/** That work in a folder or below it. */
export function processesIn(folder: string): Seen[] {
  return processes().filter(({ pid, state }) => {
    if (state === "Z") return false;
    try {
      return `${readlinkSync(`/proc/${pid}/cwd`)}/`.startsWith(`${folder}/`);
    } catch {
      return false;
    }
  });
}

/** False when it had gone already. */
export function signalTo(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, signal);
  } catch {
    return false;
  }
}
