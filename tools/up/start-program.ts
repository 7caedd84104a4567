import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, readFileSync, renameSync, statSync } from "node:fs";
import { dirname, join } from "node:path";

/** A Node program that `up` runs. What it prints goes to its log file, which outlives us both. */
export type Program = {
  name: string;
  /** Options of Node, script and arguments. Never a secret: every user of the machine can read them. */
  argv: string[];
  env: NodeJS.ProcessEnv;
  logPath: string;
};

export type Running = { pid: number; ended: Promise<Ended>; signal(name: NodeJS.Signals): void };
export type Ended = { code: number | null; signal: NodeJS.Signals | null; lastLines: string };

const TIE = new URL("tie-to-parent.mjs", import.meta.url).href;
const LOG_BYTES_MAX = 16 * 1024 * 1024;
const LAST_LINES = 15;

/** In a session of its own: Ctrl-C in the terminal reaches only us, and we stop things in order. */
export function startProgram({ argv, env, logPath }: Program): Running {
  const logFrom = openLog(logPath);
  const log = openSync(logPath, "a", 0o600);
  const args = ["--disable-warning=ExperimentalWarning", "--import", TIE, ...argv];
  const child = spawn(process.execPath, args, { env, detached: true, stdio: ["ignore", log, log, "ipc"] });
  closeSync(log);
  return {
    pid: child.pid ?? 0,
    ended: whenEnded(child, () => tail(logPath, logFrom)),
    signal: (name) => void child.kill(name),
  };
}

function whenEnded(child: ChildProcess, lastLines: () => string): Promise<Ended> {
  return new Promise((resolve) => {
    child.once("error", (cause) => resolve({ code: null, signal: null, lastLines: cause.message }));
    child.once("exit", (code, signal) => resolve({ code, signal, lastLines: lastLines() }));
  });
}

/** @returns where this start's lines begin. */
function openLog(path: string): number {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const bytes = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  if (bytes < LOG_BYTES_MAX) return bytes;
  renameSync(path, join(`${path}.1`));
  return 0;
}

function tail(path: string, offset: number): string {
  return readFileSync(path).subarray(offset).toString().trimEnd().split("\n").slice(-LAST_LINES).join("\n");
}
