/**
 * The one process through which the agent starts jobs: a small POSIX shell (launcher-script.ts), since Node's own spawn
 * copies the page tables of the whole agent on its event loop.
 *
 * Jobs of `true` a second by launcher.bench.ts, two cores shared with other work, best round: a dash loop 1511; through bash
 * 949 with a supervisor a job, through dash with setsid 582; Node's spawn 810 in a bare process and 178 with 256 MB resident.
 * Through the whole supervisor, with files, journal and clearing up: 578. Two forks of bash (0.5 ms each) and the exec are what a job costs.
 *
 * Owns: the launcher's process and its pipes. States: up, down (died; a new one starts after a pause), closed.
 * Invariants: an order is the ids of its attempts alone, so no text of a job is ever in a command line; an order may be lost with a
 * launcher and is then given again, which is safe since the record can be claimed once.
 * Jobs do not notice when a launcher, or the agent, ends.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { open, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { NexusError } from "@nexus/shared/errors";
import { type Notice, parseNotice } from "./launcher-notice.ts";
import { LAUNCHER_SCRIPT } from "./launcher-script.ts";

/** Attempts whose scripts are in one file, see attempt-files.ts. */
export type Order = { order: string; attempts: string[] };

export type Launcher = {
  pid(): number | null;
  /** Given to nobody while the launcher is down; `onUp` asks for all open orders again. */
  order(orders: Order[]): void;
  /** Lets the shell reap supervisors that have ended. */
  tick(): void;
  close(): Promise<void>;
};

export type LauncherOptions = {
  home: string;
  /** Where attempts have their files; the supervisors work with paths relative to it. */
  attemptsFolder: string;
  scriptPath: string;
  bootId: string;
  identity: "proc" | "ps";
  /** The whole environment of the launcher, and so the base of every job's. */
  env: Record<string, string>;
  shells: readonly string[];
  onNotices(notices: Notice[]): void;
  readGapMs?: number;
  /** After the first start and after every later one: gives all open orders again. */
  onUp(order: (orders: Order[]) => void): void;
  /** The launcher died, or could not be started again. */
  onDown(why: string): void;
};

/** bash first: it gives a job a process group without a second program (1.5 to 2 times the starts of dash with setsid). */
export const SHELLS = ["/bin/bash", "/usr/bin/bash", "/usr/local/bin/bash", "/bin/sh"] as const;

/** The least time between two reads of what supervisors say, so that the words of short jobs wake the agent together. */
const READ_GAP_MS = 4;

const READY_WITHIN_MS = 10_000;
const RESTART_MS_MIN = 100;
const RESTART_MS_MAX = 10_000;

/** Puts the script into the home and gives its path. Old ones stay: a launcher of before an update may need its own. */
export async function writeLauncherScript(home: string): Promise<string> {
  const hash = createHash("sha256").update(LAUNCHER_SCRIPT).digest("hex").slice(0, 12);
  const path = join(home, `launcher-${hash}.sh`);
  const fresh = `${path}.new`;
  await writeFile(fresh, LAUNCHER_SCRIPT, { mode: 0o600 });
  await rename(fresh, path);
  return path;
}

/** @returns when the first launcher is ready for orders; rejects when this machine has no shell that can do it. */
export async function startLauncher(options: LauncherOptions): Promise<Launcher> {
  const shell = options.shells.find((path) => existsSync(path));
  if (shell === undefined) throw unusable(`none of ${options.shells.join(", ")} exists`);
  // What the shells themselves say; of interest to whoever looks why none starts.
  const log = await open(join(options.home, "launcher.log"), "w", 0o600);
  const children = new Set<ChildProcess>();
  let current: ChildProcess | null = null;
  let perSupervisorMax = 1;
  let isClosed = false;
  let pauseMs = RESTART_MS_MIN;
  let restartTimer: NodeJS.Timeout | null = null;

  async function up(path: string): Promise<void> {
    const { bootId, identity, env, attemptsFolder, scriptPath } = options;
    const child = spawn(path, [scriptPath, "launch", identity, bootId, path], {
      cwd: attemptsFolder,
      detached: true,
      env,
      stdio: ["pipe", "pipe", log.fd],
    });
    children.add(child);
    // Its pipe stays open as long as one of its supervisors lives, after its own end too.
    child.once("close", () => children.delete(child));
    // An order into a launcher that has just died: `exit` tells of it.
    child.stdin?.on("error", () => undefined);
    const grouping = await listen(child, options);
    perSupervisorMax = grouping === "batch" ? Number.POSITIVE_INFINITY : 1;
    if (isClosed) return hangUp(child);
    const upAtMs = performance.now();
    const whenDown = () => {
      current = null;
      if (performance.now() - upAtMs > RESTART_MS_MAX) pauseMs = RESTART_MS_MIN;
      if (!isClosed) restart(path, "it ended");
    };
    if (child.exitCode !== null || child.signalCode !== null) return whenDown();
    child.once("exit", whenDown);
    current = child;
    options.onUp(order);
  }

  function order(orders: Order[]): void {
    const lines: string[] = [];
    for (const { order, attempts } of orders) {
      for (let at = 0; at < attempts.length; at += perSupervisorMax) {
        lines.push(`${[order, ...attempts.slice(at, at + perSupervisorMax)].join(" ")}\n`);
      }
    }
    if (lines.length > 0) current?.stdin?.write(lines.join(""));
  }

  function restart(path: string, why: string): void {
    options.onDown(`The launcher of jobs is down (${why}). Running jobs are not affected; a new one starts.`);
    restartTimer = setTimeout(() => {
      up(path).catch((error: unknown) => {
        if (!isClosed) restart(path, error instanceof Error ? error.message : String(error));
      });
    }, pauseMs);
    pauseMs = Math.min(pauseMs * 2, RESTART_MS_MAX);
  }

  try {
    await up(shell);
  } catch (error) {
    await log.close();
    throw error;
  }
  return {
    pid: () => current?.pid ?? null,
    order,
    tick() {
      current?.stdin?.write("\n");
    },
    async close() {
      isClosed = true;
      if (restartTimer !== null) clearTimeout(restartTimer);
      for (const child of children) hangUp(child);
      await log.close();
    },
  };
}

/** Hands on all that the launcher and its supervisors say. Resolves when it says how it can give jobs groups. */
function listen(child: ChildProcess, options: LauncherOptions): Promise<string> {
  const ready = Promise.withResolvers<string>();
  const timer = setTimeout(() => {
    child.kill("SIGKILL");
    ready.reject(unusable(`it did not answer within ${READY_WITHIN_MS / 1000} s`));
  }, READY_WITHIN_MS);
  let unread = "";
  let readAtMs = Number.NEGATIVE_INFINITY;
  let readTimer: NodeJS.Timeout | null = null;
  const words = child.stdout?.setEncoding("latin1");
  words?.on("readable", () => {
    if (readTimer !== null) return;
    const waitMs = readAtMs + (options.readGapMs ?? READ_GAP_MS) - performance.now();
    if (waitMs <= 0) read();
    else readTimer = setTimeout(read, waitMs);
  });

  /** All that has come: by `data` it would be one write of a supervisor after the other, each a gap later. */
  function read(): void {
    readTimer = null;
    // Closed while the gap ran: the stream still gives what it holds, and another agent may read it from the files by now.
    if (words?.destroyed) return;
    readAtMs = performance.now();
    const text: string | null = words?.read() ?? null;
    if (text === null) return;
    const lines = (unread + text).split("\n");
    unread = lines.pop() ?? "";
    const notices: Notice[] = [];
    for (const line of lines) {
      const notice = parseNotice(line, options.bootId);
      if (notice) notices.push(notice);
      else if (line === "ready none") ready.reject(unusable("it has no job control, and there is no setsid"));
      else if (line.startsWith("ready ")) ready.resolve(line.slice("ready ".length));
    }
    if (notices.length > 0) options.onNotices(notices);
  }

  child.once("error", (error) => ready.reject(unusable(error.message)));
  child.once("exit", () => ready.reject(unusable("it ended at once; launcher.log has its words")));
  return ready.promise.finally(() => clearTimeout(timer));
}

/** The launcher reads to the end of its orders and ends after its last supervisor. */
function hangUp(child: ChildProcess): void {
  child.stdin?.end();
  child.stdout?.destroy();
  child.unref();
}

function unusable(why: string): NexusError {
  return new NexusError("internal", {
    detail: `No shell on this machine can start jobs: ${why}. Install bash, or setsid of util-linux.`,
  });
}
