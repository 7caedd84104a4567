/**
 * A command that is meant to run for ever and print lines: started, watched, restarted.
 *
 * Owns one child and its timers. States: preparing → running → (silent → killed →) ended → backing off → preparing;
 * `close` ends it from each of them.
 * Invariants: never two children at a time, also when the old one cannot be killed (a process stuck inside a driver takes
 * no signal: a second would only get stuck beside it). A child dies with the agent, however the agent dies: it runs under a
 * POSIX sh that blocks on our end of a pipe. (A loop that has nothing to print would never notice a closed stdout.)
 * Refuses lines longer than 64 KiB and keeps no output.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { readFile } from "node:fs/promises";

/** `prepared` is false when it never started, since `prepare` failed. */
export type ResidentEnd = { prepared: boolean; code: number | null; silent: boolean };

export type ResidentOptions = {
  command: string;
  /** Called before each start. A rejection counts as an end. */
  prepare: () => Promise<readonly string[]>;
  onLine: (line: string) => void;
  onEnd: (end: ResidentEnd) => void;
  /** It was killed for silence and is still there. */
  onStuck: () => void;
  /** Without output for this long it is taken for hung. */
  silenceMs: number;
  /** Silence is then excused as long as the process is seen to run. For queries whose answer may be empty. */
  mayBeQuiet: boolean;
  backoffMsMin: number;
  backoffMsMax: number;
  procRoot: string;
};

export type Resident = {
  /** It works: the next back-off starts at the minimum again. */
  settled(): void;
  /** Ends the child; it is prepared and started again at once. */
  restart(): void;
  close(): Promise<void>;
};

/**
 * The inner sh tells its pid and becomes the command. `$!` outlives its process as a zombie until `wait`, so the kill
 * cannot hit a stranger. The outer sh gives up stdout and stderr, so that their end means the command's end.
 */
const WRAPPER =
  `sh -c 'echo "#pid $$"; exec "$@"' sh "$@" </dev/null & c=$!; ` +
  'exec >&- 2>&-; read -r _; kill -KILL "$c"; wait "$c"; exit $?';

const LINE_CHARS_MAX = 64 * 1024;
const STUCK_AFTER_KILL_MS = 10_000;
const CLOSE_DEADLINE_MS = 2_000;

export function startResident(options: ResidentOptions): Resident {
  let child: ChildProcess | null = null;
  let pid: number | null = null;
  let switches: string | null = null;
  let silent = false;
  let closed = false;
  let restarting = false;
  let failures = 0;
  let startTimer: NodeJS.Timeout | null = null;
  let silenceTimer: NodeJS.Timeout | null = null;
  let stuckTimer: NodeJS.Timeout | null = null;
  let onGone: (() => void) | null = null;

  void start();

  async function start(): Promise<void> {
    startTimer = null;
    let args: readonly string[];
    try {
      args = await options.prepare();
    } catch {
      // The cause is known to whoever prepares; here it is one more failed start.
      if (!closed) ended(null, false);
      return;
    }
    if (closed) return;
    run(spawn("sh", ["-c", WRAPPER, "sh", options.command, ...args], { stdio: ["pipe", "pipe", "pipe"] }));
  }

  function run(started: ChildProcess): void {
    child = started;
    pid = null;
    switches = null;
    silent = false;
    silenceTimer = setTimeout(onSilence, options.silenceMs).unref();
    const out = lineReader(onLine);
    const err = lineReader(options.onLine);
    started.stdout?.setEncoding("utf8").on("data", (chunk: string) => {
      silenceTimer?.refresh();
      out(chunk);
    });
    // The command is gone: end the sh, which passes on its exit code.
    started.stdout?.on("end", () => started.stdin?.end());
    started.stderr?.setEncoding("utf8").on("data", err);
    started.stdin?.on("error", () => undefined);
    started.on("error", () => undefined);
    started.on("close", (code) => {
      if (child === started) ended(code, true);
    });
  }

  function onLine(line: string): void {
    if (pid === null && line.startsWith("#pid ")) pid = Number(line.slice(5));
    else options.onLine(line);
  }

  async function onSilence(): Promise<void> {
    const watched = child;
    if (options.mayBeQuiet && pid !== null) {
      const now = await voluntarySwitches(options.procRoot, pid);
      if (child !== watched || closed) return;
      const isAlive = now !== null && now !== switches;
      switches = now;
      if (isAlive) {
        silenceTimer?.refresh();
        return;
      }
    }
    silent = true;
    kill();
  }

  function kill(): void {
    child?.stdin?.end();
    stuckTimer ??= setTimeout(options.onStuck, STUCK_AFTER_KILL_MS).unref();
  }

  function ended(code: number | null, prepared: boolean): void {
    child = null;
    if (silenceTimer !== null) clearTimeout(silenceTimer);
    if (stuckTimer !== null) clearTimeout(stuckTimer);
    silenceTimer = stuckTimer = null;
    if (closed) {
      onGone?.();
      return;
    }
    if (!restarting) options.onEnd({ prepared, code, silent });
    const delayMs = restarting
      ? 0
      : Math.min(options.backoffMsMax, options.backoffMsMin * 2 ** Math.min(failures++, 20));
    restarting = false;
    startTimer = setTimeout(() => void start(), delayMs).unref();
  }

  return {
    settled: () => {
      failures = 0;
    },
    restart: () => {
      if (child === null || closed) return;
      restarting = true;
      kill();
    },
    close: async () => {
      if (closed) return;
      closed = true;
      if (startTimer !== null) clearTimeout(startTimer);
      if (child === null) return;
      kill();
      await new Promise<void>((resolve) => {
        onGone = resolve;
        setTimeout(resolve, CLOSE_DEADLINE_MS).unref();
      });
      if (stuckTimer !== null) clearTimeout(stuckTimer);
    },
  };
}

/** Whole lines only: what a dying command leaves of its last line is dropped. */
export function lineReader(onLine: (line: string) => void): (chunk: string) => void {
  let rest = "";
  return (chunk) => {
    let start = 0;
    for (;;) {
      const end = chunk.indexOf("\n", start);
      if (end < 0) break;
      const line = rest + chunk.slice(start, end);
      rest = "";
      start = end + 1;
      onLine(line.endsWith("\r") ? line.slice(0, -1) : line);
    }
    rest = rest.length > LINE_CHARS_MAX ? "" : rest + chunk.slice(start);
  };
}

/**
 * A loop that sleeps between rounds gives up its processor each time and the kernel counts it; one stuck in a driver does
 * not. Reading the count takes no lock of the watched process.
 */
async function voluntarySwitches(procRoot: string, pid: number): Promise<string | null> {
  try {
    const status = await readFile(`${procRoot}/${pid}/status`, "utf8");
    return /^voluntary_ctxt_switches:\s+(\d+)/m.exec(status)?.[1] ?? null;
  } catch {
    return null;
  }
}
