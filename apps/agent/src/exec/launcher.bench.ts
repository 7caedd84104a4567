/**
 * How many jobs of `true` a second: through the launcher alone, through the whole supervisor (files, journal, clearing up),
 * through Node's own spawn, and in a dash loop as the floor. Run with `node launcher.bench.ts`; every number is of the same
 * run, rounds alternate, and the median counts, since other work on the machine moves all of them.
 */
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { baseEnvironment } from "./job-environment.ts";
import { jobScript, orderScript } from "./job-script.ts";
import { SHELLS, startLauncher, writeLauncherScript } from "./launcher.ts";
import { openProcessTable } from "./process-table.ts";
import { createSupervisor } from "./supervisor.ts";

const ROUNDS = 12;
const JOBS = 240;
const IN_FLIGHT = 8;
const BASE_ENV = baseEnvironment(
  { PATH: "/usr/local/bin:/usr/bin:/bin" },
  { ...userInfo(), shell: "/bin/sh" },
);

type Measure = { name: string; run(): Promise<number> };

const measures: Measure[] = [
  { name: "dash loop", run: async () => shellLoop("dash", "/bin/true", JOBS) },
  { name: "node spawn", run: () => nodeSpawns(JOBS / 2) },
  { name: "node spawn, 256 MB resident", run: () => withBallast(256, () => nodeSpawns(100)) },
  ...SHELLS.filter((shell, index) => existsSync(shell) && index !== 1).map((shell) => ({
    name: `launcher, ${shell}`,
    run: () => launches(shell),
  })),
  { name: "supervisor, start to exited", run: supervised },
  { name: "record: one write", run: async () => shellLoop("dash", "echo exit 0 1.23 >rec$i", 5000) },
  {
    name: "record: temp + mv",
    run: async () => shellLoop("dash", "echo exit 0 1.23 >tmp$i; mv tmp$i rec$i", JOBS),
  },
];

const results = new Map(measures.map(({ name }) => [name, [] as number[]]));
for (let round = 0; round < ROUNDS; round += 1) {
  for (const { name, run } of measures) results.get(name)?.push(await run());
}
const floor = best("dash loop");
for (const [name, rates] of results) {
  const ratio = (best(name) / floor).toFixed(2);
  const [shown, usual] = [best(name), median(rates)].map((rate) => String(Math.round(rate)).padStart(6));
  process.stdout.write(`${name.padEnd(32)} ${shown}/s  (median ${usual})  ${ratio} of the dash loop\n`);
}

function best(name: string): number {
  return Math.max(...(results.get(name) ?? [0]));
}

async function inFolder<T>(act: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), "nexus-bench-"));
  try {
    return await act(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function rate(count: number, act: () => Promise<unknown>): Promise<number> {
  const beganMs = performance.now();
  await act();
  return (count * 1000) / (performance.now() - beganMs);
}

function shellLoop(shell: string, body: string, count: number): Promise<number> {
  const script = `i=0; while [ $i -lt ${count} ]; do i=$((i+1)); ${body}; done`;
  return inFolder((cwd) =>
    rate(count, async () => spawnSync(shell, ["-c", script], { cwd, stdio: "ignore" })),
  );
}

/** Keeps IN_FLIGHT going; `begin` calls its argument at the end of one. */
function keepGoing(count: number, begin: (index: number, ended: () => void) => void): Promise<void> {
  return new Promise((resolve) => {
    let begun = 0;
    let left = count;
    const next = () => {
      if (begun < count) begin(begun++, ended);
    };
    const ended = () => {
      left -= 1;
      if (left === 0) resolve();
      else next();
    };
    for (let index = 0; index < IN_FLIGHT; index += 1) next();
  });
}

function nodeSpawns(count: number): Promise<number> {
  return rate(count, () =>
    keepGoing(count, (_, ended) => {
      spawn("/bin/true", [], { stdio: "ignore", detached: true, env: BASE_ENV }).once("exit", ended);
    }),
  );
}

async function withBallast(mib: number, act: () => Promise<number>): Promise<number> {
  const ballast = Buffer.alloc(mib * 1024 * 1024, 1);
  const result = await act();
  return ballast[0] === 1 ? result : 0;
}

function launches(shell: string): Promise<number> {
  return inFolder(async (home) => {
    const attemptsFolder = join(home, "attempts");
    mkdirSync(attemptsFolder);
    const job = { command: ["true"], env: { NEXUS_ATTEMPT_ID: "a_1" }, cwd: "/", cgroupProcs: null };
    for (let index = 0; index < JOBS; index += 1) {
      const attempt = `a_${index}`;
      writeFileSync(
        join(attemptsFolder, `${attempt}.sh`),
        orderScript([{ attempt, script: jobScript(job) }]),
      );
    }
    let ended: () => void = () => undefined;
    const launcher = await startLauncher({
      home,
      attemptsFolder,
      scriptPath: await writeLauncherScript(home),
      bootId: "bench",
      identity: openProcessTable().kind,
      env: BASE_ENV,
      shells: [shell],
      onNotices: (notices) => {
        for (const { kind } of notices) if (kind === "exited") ended();
      },
      onUp: () => undefined,
      onDown: (why) => process.stderr.write(`${why}\n`),
    });
    const result = await rate(JOBS, () =>
      keepGoing(JOBS, (index, oneEnded) => {
        ended = oneEnded;
        launcher.order([{ order: `a_${index}`, attempts: [`a_${index}`] }]);
      }),
    );
    await launcher.close();
    return result;
  });
}

function supervised(): Promise<number> {
  return inFolder(async (home) => {
    let ended: () => void = () => undefined;
    const supervisor = await createSupervisor({
      home,
      baseEnv: BASE_ENV,
      onEvents: (events) => {
        for (const { type } of events) if (type === "exited") ended();
      },
    });
    // Starts of one turn go as one batch, as they come from the control plane.
    let batch: Parameters<typeof supervisor.start>[0] = [];
    const result = await rate(JOBS, () =>
      keepGoing(JOBS, (index, oneEnded) => {
        ended = oneEnded;
        batch.push({
          attempt: `a_${index}`,
          job: `j_${index}`,
          fence: 1,
          command: ["true"],
          env: {},
          cwd: "/",
          gpus: [],
          timeoutMs: null,
          graceMs: 1000,
        });
        if (batch.length > 1) return;
        setImmediate(() => {
          void supervisor.start(batch);
          batch = [];
        });
      }),
    );
    await supervisor.close();
    return result;
  });
}

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}
