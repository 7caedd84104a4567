import { spawnSync } from "node:child_process";
import { natural } from "../core/attempt-record.ts";
import { ATTEMPT_MARKER } from "./job-environment.ts";
import type { ProcessRow, ProcessTable } from "./process-row.ts";

/** For systems without /proc. One ps (10 to 30 ms) a question, so it is asked rarely. Start times have whole seconds. */
export function psTable(): ProcessTable {
  return {
    kind: "ps",
    startTimeOf(pid) {
      const [line] = ps(["-o", "state=,lstart=", "-p", String(pid)]);
      const [state, ...start] = words(line ?? "");
      return state === undefined || state.startsWith("Z") ? null : start.join("_");
    },
    scan: () => ps(["axeww", "-o", `${COLUMNS},command=`]).flatMap(parsePsLine),
    commandOf: (pid) => ps(["-ww", "-o", "command=", "-p", String(pid)])[0]?.trim() ?? "",
    running(prefix) {
      return ps(["axww", "-o", "pid=,command="]).flatMap((line) => {
        const [pid, ...command] = words(line);
        const isRunning = command.some((word) => word.startsWith(prefix));
        return isRunning ? [{ pid: Number(pid), session: 0, words: command }] : [];
      });
    },
    uptimeMs: () => null,
  };
}

const COLUMNS = "pid=,ppid=,pgid=,state=,lstart=";

/** The environment follows the command with no mark between them, so an argument can look like a marker. */
export function parsePsLine(line: string): ProcessRow[] {
  const [pidText, parentText, groupText, state, day, month, date, time, year, ...rest] = words(line);
  const pid = natural(pidText);
  const parent = natural(parentText);
  const group = natural(groupText);
  if (pid === null || parent === null || group === null) return [];
  if (state === undefined || state.startsWith("Z")) return [];
  const marker = rest.find((word) => word.startsWith(`${ATTEMPT_MARKER}=`));
  const attempt = marker?.slice(ATTEMPT_MARKER.length + 1) ?? null;
  const startTime = [day, month, date, time, year].join("_");
  return [{ pid, startTime, parent, group, session: 0, attempt, outputs: [] }];
}

function ps(args: string[]): string[] {
  const { stdout } = spawnSync("ps", args, {
    encoding: "utf8",
    env: { PATH: "/bin:/usr/bin", LC_ALL: "C" },
    timeout: 5000,
    maxBuffer: 64 * 1024 * 1024,
  });
  return (stdout ?? "").split("\n").filter((line) => line.trim() !== "");
}

function words(line: string): string[] {
  return line
    .trim()
    .split(/\s+/)
    .filter((word) => word !== "");
}
