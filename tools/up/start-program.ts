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
export type Ended = {
  code: number | null;
  signal: NodeJS.Signals | null;
  /** Why, as it said itself; empty where a signal ended it, since it had no say. */
  lastWords: string;
};

const TIE = new URL("tie-to-parent.mjs", import.meta.url).href;
const LOG_BYTES_MAX = 16 * 1024 * 1024;
const WORDS_LINES_MAX = 15;
/** What the control plane and the agent write while they run, as opposed to what they say when they give up. */
const LOG_RECORD = /^(\{"level":|\d{4}-\d\d-\d\dT\S+Z )/;

/** In a session of its own: Ctrl-C in the terminal reaches only us, and we stop things in order. */
export function startProgram({ argv, env, logPath }: Program): Running {
  const logFrom = openLog(logPath);
  const log = openSync(logPath, "a", 0o600);
  const args = ["--disable-warning=ExperimentalWarning", "--import", TIE, ...argv];
  const child = spawn(process.execPath, args, { env, detached: true, stdio: ["ignore", log, log, "ipc"] });
  closeSync(log);
  return {
    pid: child.pid ?? 0,
    ended: whenEnded(child, () => lastWords(readFileSync(logPath).subarray(logFrom).toString())),
    signal: (name) => void child.kill(name),
  };
}

function whenEnded(child: ChildProcess, words: () => string): Promise<Ended> {
  return new Promise((resolve) => {
    child.once("error", (cause) => resolve({ code: null, signal: null, lastWords: cause.message }));
    child.once("exit", (code, signal) => resolve({ code, signal, lastWords: code === null ? "" : words() }));
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

/** What stands behind the last record of the log, or that record where nothing does. */
function lastWords(text: string): string {
  const lines = text.trimEnd().split("\n");
  const record = lines.findLastIndex((line) => LOG_RECORD.test(line));
  const from = record === lines.length - 1 ? record : record + 1;
  return lines.slice(from, from + WORDS_LINES_MAX).join("\n");
}
