/**
 * Owns: one running Postgres server, which this process started or adopted. The caller holds the owner lock of the home,
 * so whatever server works in this data folder has no other master.
 * States: none → starting → ready → stopping → ended. A server found running is adopted when it was started exactly as
 * we would start it, and stopped otherwise. Refuses: to start beside processes that still hold the data.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, existsSync, openSync, readFileSync, renameSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { NexusError } from "@nexus/shared/errors";
import { dataArgument } from "./init-data.ts";
import type { EmbeddedLayout } from "./layout.ts";
import { readPostmasterFile, readStartedWith, startedWith } from "./postmaster-file.ts";
import { runAs, spawnAs } from "./run-as.ts";
import type { Runtime } from "./runtime.ts";
import { findServerProcesses, identifyServerProcess } from "./server-process.ts";
import type { ServerUser } from "./server-user.ts";

export type Postmaster = {
  pid: number;
  isAdopted: boolean;
  /** Settles when the server has ended, by us or by itself. */
  ended: Promise<void>;
  stop(): Promise<void>;
};

export type PostmasterOptions = {
  layout: EmbeddedLayout;
  runtime: Runtime;
  user: ServerUser;
  isDurable: boolean;
  /** The server ends when this process ends. Where that cannot be had, the next start adopts it. */
  isTied: boolean;
  log: (text: string) => void;
};

const POLL_MS = 5;
/** pid 1 was seen to take up to 1.5 s to collect a process whose parent was killed; some never do. */
const UNCOLLECTED_WAIT_MS = 3_000;
const ORPHAN_WAIT_MS = 5_000;
/** A fast shutdown writes one checkpoint: 17-48 ms when idle, more behind a slow disk. */
const FAST_STOP_WAIT_MS = 30_000;
const LOG_BYTES_MAX = 8 * 1024 * 1024;

export async function runPostmaster(options: PostmasterOptions): Promise<Postmaster> {
  return (await adoptOrClear(options)) ?? (await startPostmaster(options));
}

async function adoptOrClear(options: PostmasterOptions): Promise<Postmaster | null> {
  const { dataDir } = options.layout;
  const wanted = startedWith(program(options), serverArguments(options));
  let hasAskedToStop = false;
  for (const startedAtMs = Date.now(); ; await delay(POLL_MS)) {
    const file = readPostmasterFile(dataDir);
    if (!file) {
      await endOrphans(options);
      return null;
    }
    const what = identifyServerProcess(file.pid, dataDir);
    const isUncollected = what === "ended" && Date.now() - startedAtMs < UNCOLLECTED_WAIT_MS;
    if (isUncollected) continue;
    if (what !== "ours") {
      await endOrphans(options);
      rmSync(join(dataDir, "postmaster.pid"), { force: true });
      return null;
    }
    const isFit = readStartedWith(dataDir) === wanted;
    if (isFit && file.status === "ready") {
      options.log(`taking over the running Postgres (process ${file.pid})`);
      return adopted(file.pid, dataDir);
    }
    if (!isFit && !hasAskedToStop) {
      hasAskedToStop = true;
      signal(file.pid, "SIGINT");
    }
    if (Date.now() - startedAtMs > FAST_STOP_WAIT_MS)
      throw new NexusError("conflict", {
        detail: `Postgres process ${file.pid} holds ${dataDir} and does not end (${file.status || "starting"}). Look at ${options.layout.logPath}.`,
      });
  }
}

/** They notice that their postmaster is gone and end by themselves; one that is stuck is ended, its work is in the WAL. */
async function endOrphans({ layout }: PostmasterOptions): Promise<void> {
  const startedAtMs = Date.now();
  for (let orphans = findServerProcesses(layout.dataDir); orphans.length > 0; ) {
    if (Date.now() - startedAtMs > ORPHAN_WAIT_MS) for (const pid of orphans) signal(pid, "SIGKILL");
    await delay(POLL_MS);
    orphans = findServerProcesses(layout.dataDir);
  }
}

async function startPostmaster(options: PostmasterOptions): Promise<Postmaster> {
  const { layout, user, log } = options;
  const args = serverArguments(options);
  const logFrom = rotateLog(layout.logPath);
  const tie = options.isTied ? await tieToParent(user) : [];
  const [command = "", ...rest] = [...tie, program(options), ...args];
  const logFd = openSync(layout.logPath, "a", 0o600);
  const child = spawn(command, rest, { ...spawnAs(user, layout.dataDir), stdio: ["ignore", logFd, logFd] });
  closeSync(logFd);
  const ended = Promise.withResolvers<void>();
  child.once("exit", () => ended.resolve());
  child.once("error", (cause) => ended.reject(cause));
  await untilReady(child, ended.promise, { options, logFrom, log });
  const pid = child.pid ?? 0;
  // The server outlives a parent it is not tied to; either way it must not hold our event loop open.
  child.unref();
  return { pid, isAdopted: false, ended: ended.promise, stop: () => stopServer(child, pid, ended.promise) };
}

type Watch = { options: PostmasterOptions; logFrom: number; log: (text: string) => void };

async function untilReady(child: ChildProcess, ended: Promise<void>, watch: Watch): Promise<void> {
  const { dataDir, logPath } = watch.options.layout;
  let hasEnded = false;
  ended
    .finally(() => {
      hasEnded = true;
    })
    .catch(() => undefined);
  const startedAtMs = Date.now();
  let toldAtMs = startedAtMs;
  // There is no deadline while it lives: recovery after a crash takes as long as the WAL is.
  for (;;) {
    const file = readPostmasterFile(dataDir);
    if (file && file.pid === child.pid && file.status === "ready") return;
    if (hasEnded) {
      await ended;
      throw new Error(`Postgres did not start: ${lastWords(logPath, watch.logFrom)}. See ${logPath}`);
    }
    if (Date.now() - toldAtMs > 1_000) {
      toldAtMs = Date.now();
      watch.log(
        `waiting for Postgres (${Math.round((toldAtMs - startedAtMs) / 1_000)} s); it recovers what was not closed`,
      );
    }
    await delay(POLL_MS);
  }
}

function adopted(pid: number, dataDir: string): Postmaster {
  const ended = (async () => {
    // Nobody tells us about a process that is not our child.
    while (identifyServerProcess(pid, dataDir) === "ours") await delay(250, undefined, { ref: false });
  })();
  const stop = async () => {
    signal(pid, "SIGINT");
    const startedAtMs = Date.now();
    while (identifyServerProcess(pid, dataDir) === "ours") {
      if (Date.now() - startedAtMs > FAST_STOP_WAIT_MS) signal(pid, "SIGQUIT");
      await delay(POLL_MS);
    }
  };
  return { pid, isAdopted: true, ended, stop };
}

async function stopServer(child: ChildProcess, pid: number, ended: Promise<void>): Promise<void> {
  child.ref();
  signal(pid, "SIGINT");
  // Without a checkpoint: the next start replays the WAL, nothing that was committed is lost.
  const force = setTimeout(() => signal(pid, "SIGQUIT"), FAST_STOP_WAIT_MS);
  await ended;
  clearTimeout(force);
}

function program({ runtime }: PostmasterOptions): string {
  return join(runtime.binDir, "postgres");
}

function serverArguments({ layout, user, isDurable }: PostmasterOptions): string[] {
  const settings = [
    "listen_addresses=",
    `unix_socket_directories=${layout.socket.configured}`,
    "unix_socket_permissions=0700",
    "cluster_name=nexus",
    // The clients report their own errors; this keeps the file small over years.
    "log_min_messages=log",
    "log_checkpoints=off",
    // Not part of the shipped binaries.
    "jit=off",
    ...(isDurable ? [] : ["fsync=off", "synchronous_commit=off", "full_page_writes=off"]),
  ];
  return ["-D", dataArgument(user, layout.dataDir), ...settings.flatMap((setting) => ["-c", setting])];
}

/** The kernel asks Postgres for a clean stop when this process ends in any way. */
async function tieToParent(user: ServerUser): Promise<string[]> {
  const setpriv = ["/usr/bin/setpriv", "/bin/setpriv"].find((path) => existsSync(path));
  if (!setpriv) return [];
  const tie = ["--pdeathsig", "INT"];
  const probe = await runAs(user, [setpriv, ...tie, "true"], { cwd: "/" });
  return probe.code === 0 ? [setpriv, ...tie] : [];
}

function rotateLog(path: string): number {
  const bytes = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  if (bytes < LOG_BYTES_MAX) return bytes;
  renameSync(path, `${path}.1`);
  return 0;
}

/** Why it gave up, of all that it logs about its start. */
function lastWords(path: string, offset: number): string {
  const said = readFileSync(path).subarray(offset).toString().trim();
  return /(?:FATAL|PANIC): +(.+)/.exec(said)?.[1] ?? (said || "it said nothing");
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (cause) {
    if (!(cause instanceof Error && "code" in cause && cause.code === "ESRCH")) throw cause;
  }
}
