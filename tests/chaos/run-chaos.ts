/**
 * A chaos run: for each fault a stream of jobs through a real Nexus while the fault strikes, then a look at every job, log,
 * process and lease. Pure of arguments and terminals; `run.ts` is the command.
 */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ChaosOptions } from "./chaos-options.ts";
import { faketimeLibrary, wrongClockEnv } from "./faults/clocks.ts";
import type { Fault } from "./faults/fault.ts";
import { House } from "./house.ts";
import { JobStream, type Losses } from "./job-stream.ts";
import { canMakeNetworks } from "./namespace-network.ts";
import { pause } from "./pause.ts";
import { processesIn, processesMarked } from "./processes.ts";
import { type SeededRandom, seededRandom } from "./seeded-random.ts";
import { SmallDisk } from "./small-disk.ts";

export type ChaosRow = Losses & {
  fault: string;
  what: string;
  rounds: number;
  recoveriesMs: number[];
  recoveryMsMax: number;
  seconds: number;
  /** Why it was left out on this machine. */
  skipped: string | null;
};

export type ChaosReport = {
  seed: number;
  agents: number;
  folder: string;
  rows: ChaosRow[];
  isClean: boolean;
};

/** Nothing has moved for so long: it will not move any more. */
const STILL_MS = 90_000;
const JOBS_A_ROUND = 60;
const ROUNDS_MAX = 8;
/** Of one fault, so that the whole table takes well under an hour. */
const FAULT_MS = 90_000;
const EXIT_BROKEN_OFF = 130;

export async function runChaos(options: ChaosOptions, say: (line: string) => void): Promise<ChaosReport> {
  const folder = mkdtempSync(join(tmpdir(), "nexus-chaos-"));
  const random = seededRandom(options.seed);
  const rows: ChaosRow[] = [];
  const possible = options.faults.filter((fault) => {
    const skipped = missing(fault);
    if (skipped !== null) rows.push({ ...emptyRow(fault), skipped });
    return skipped === null;
  });
  for (const kind of ["plain", "wrong clocks", "own networks"] as const) {
    const faults = possible.filter((fault) => houseOf(fault) === kind);
    // A house gets its share: all jobs under one fault would fill the small disks of its nodes.
    const jobs = Math.round((options.jobs * faults.length) / possible.length);
    if (faults.length > 0)
      rows.push(...(await runInHouse({ ...options, faults, jobs }, { folder, random, kind, say })));
  }
  const isClean = rows.every((row) => row.skipped !== null || isCleanRow(row, options.slack));
  if (isClean && !options.keep) rmSync(folder, { recursive: true, force: true });
  return { seed: options.seed, agents: options.agents, folder, rows, isClean };
}

function isCleanRow(row: ChaosRow, slack: number): boolean {
  return row.findings.length === 0 && Math.max(0, ...row.recoveriesMs) <= row.recoveryMsMax * slack;
}

/** A clock that can be wrong costs at every look at it, a network of its own at every packet: only who needs them has them. */
type HouseKind = "plain" | "wrong clocks" | "own networks";

function houseOf({ needs }: Fault): HouseKind {
  return needs === "faketime" ? "wrong clocks" : needs === "networks" ? "own networks" : "plain";
}

type Run = { folder: string; random: SeededRandom; kind: HouseKind; say: (line: string) => void };

async function runInHouse(options: ChaosOptions, { folder, random, kind, say }: Run): Promise<ChaosRow[]> {
  const isWrong = kind === "wrong clocks";
  const run = `c${options.seed}${kind.slice(0, 1)}${process.pid}`;
  const home = join(folder, kind.replace(" ", "-"));
  mkdirSync(home);
  for (const name of ["starts", "wrote", "gpus"]) mkdirSync(join(home, name));
  const house = await House.open({
    folder: home,
    agents: options.agents,
    random,
    hasNamespaces: kind === "own networks",
    hasDisks: options.faults.some(({ needs }) => needs === "mount"),
    agentEnv: (name) => (isWrong ? wrongClockEnv(home, name) : {}),
    serverEnv: isWrong ? wrongClockEnv(home, "control-plane") : {},
  });
  const rows: ChaosRow[] = [];
  const breakOff = () =>
    void house
      .close()
      .then(() => house.unmount())
      .then(() => process.exit(EXIT_BROKEN_OFF));
  for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, breakOff);
  try {
    for (const fault of options.faults) {
      const jobs = Math.max(1, Math.round(options.jobs / options.faults.length));
      const row = await runFault({ fault, jobs, house, run, options, random: random.fork(fault.name) });
      rows.push(row);
      say(
        `${row.fault}: ${row.findings.length === 0 ? "no finding" : `${row.findings.length} findings`}, ${row.jobs} jobs, ${row.seconds.toFixed(0)} s`,
      );
      for (const finding of row.findings.slice(0, 8)) say(`  ${finding}`);
    }
  } finally {
    await house.close();
    await sayWhatIsLeft(home, run, rows.at(-1));
    house.unmount();
    for (const name of ["SIGINT", "SIGTERM"] as const) process.off(name, breakOff);
  }
  return rows;
}

type FaultRun = {
  fault: Fault;
  jobs: number;
  house: House;
  run: string;
  options: ChaosOptions;
  random: SeededRandom;
};

async function runFault({ fault, jobs, house, run, options, random }: FaultRun): Promise<ChaosRow> {
  const beganMs = performance.now();
  const { scale } = options;
  const roundsFit = Math.floor(FAULT_MS / fault.roundMs(scale));
  const rounds =
    options.rounds ?? Math.max(1, Math.min(ROUNDS_MAX, roundsFit, Math.round(jobs / JOBS_A_ROUND)));
  const longMs = Math.min(20_000, fault.roundMs(scale) * 1.5);
  const stream = new JobStream(house, {
    name: fault.name,
    run,
    random: random.fork("jobs"),
    longMs,
    isPatient: fault.hasPatientJobs === true,
  });
  const ownEndsBefore = house.ownEnds.length;
  const findings: string[] = [];
  let recoveriesMs: number[] = [];
  await stream.begin();
  let isOver = false;
  // Told and not thrown: the strike goes on meanwhile, and what was submitted is checked all the same.
  const submitting = stream
    .submitAll(jobs, { overMs: fault.roundMs(scale) * rounds, isOver: () => isOver })
    .catch((error: unknown) => findings.push(`jobs could not be submitted: ${error}`));
  try {
    recoveriesMs = await fault.strike({ house, stream, random: random.fork("strikes"), rounds, scale });
  } catch (error) {
    findings.push(`the fault was not survived: ${error instanceof Error ? error.message : error}`);
  }
  isOver = true;
  await submitting;
  await stream.settle(STILL_MS);
  const losses = await stream.check();
  findings.push(...losses.findings, ...house.ownEnds.slice(ownEndsBefore), ...(await leftInDatabase(house)));
  findings.push(...gpusTwice(house), ...(await leftRunning(run)));
  for (const ms of recoveriesMs) {
    if (ms > fault.recoveryMsMax * options.slack)
      findings.push(`recovery took ${Math.round(ms)} ms, at most ${fault.recoveryMsMax} are allowed`);
  }
  const seconds = (performance.now() - beganMs) / 1000;
  return { ...emptyRow(fault), ...losses, findings, rounds: recoveriesMs.length, recoveriesMs, seconds };
}

async function leftInDatabase(house: House): Promise<string[]> {
  return await house.query(async (sql) => {
    const [row] = await sql<{ leases: number; attempts: number; jobs: number }[]>`
      select (select count(*) from gpu_lease)::int as leases,
        (select count(*) from attempt where closed_at is null)::int as attempts,
        (select count(*) from job where state in ('queued','assigned','starting','running','unreachable'))::int as jobs`;
    if (!row) return ["the database says nothing"];
    return [
      ...(row.leases > 0 ? [`${row.leases} GPU leases are held by nobody`] : []),
      ...(row.attempts > 0 ? [`${row.attempts} attempts were never closed`] : []),
      ...(row.jobs > 0 ? [`${row.jobs} jobs have not ended`] : []),
    ];
  });
}

function gpusTwice(house: House): string[] {
  const path = join(house.folder, "gpu-twice");
  if (!existsSync(path)) return [];
  const lines = readFileSync(path, "utf8").trim().split("\n");
  rmSync(path);
  return lines.map((line) => `a GPU was given out twice: ${line}`);
}

/** Ended jobs leave no process; what they left behind may take a moment to be ended. */
async function leftRunning(run: string): Promise<string[]> {
  const deadline = performance.now() + 15_000;
  for (;;) {
    const left = processesMarked(`CHAOS_RUN=${run}`);
    if (left.length === 0) return [];
    if (performance.now() > deadline)
      return left.map(({ pid, command }) => `process ${pid} was left behind: ${command.slice(0, 120)}`);
    await pause(100);
  }
}

async function sayWhatIsLeft(home: string, run: string, row: ChaosRow | undefined): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (processesIn(home).length > 0 && performance.now() < deadline) await pause(100);
  const left = [...processesIn(home), ...processesMarked(`CHAOS_RUN=${run}`)];
  for (const { pid, command } of left)
    row?.findings.push(`process ${pid} outlived the run: ${command.slice(0, 120)}`);
}

function missing({ needs }: Fault): string | null {
  if (needs === "mount" && !SmallDisk.canMount()) return "needs root on Linux, to mount small disks";
  if (needs === "namespaces" && !SmallDisk.canMount())
    return "needs root on Linux, for a process table of its own";
  if (needs === "networks" && !canMakeNetworks())
    return "needs root on Linux and iproute2, for networks of its own";
  if (needs === "faketime" && faketimeLibrary() === null) return "needs Debian's package faketime";
  return null;
}

function emptyRow({ name, what, recoveryMsMax }: Fault): ChaosRow {
  return {
    ...{ fault: name, what, rounds: 0, recoveriesMs: [], recoveryMsMax, seconds: 0, skipped: null },
    ...{ jobs: 0, jobsLost: 0, startedTwice: 0, wrongStates: 0, bytesLost: 0, bytesDoubled: 0, findings: [] },
  };
}
