import { spawnSync } from "node:child_process";
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { parseRecord } from "../core/attempt-record.ts";
import { jobScript, orderScript } from "./job-script.ts";
import {
  type Launcher,
  type LauncherOptions,
  SHELLS,
  startLauncher,
  writeLauncherScript,
} from "./launcher.ts";
import type { Notice } from "./launcher-notice.ts";
import type { ProcessTable } from "./process-row.ts";
import { openProcessTable } from "./process-table.ts";
import { eventually } from "./testing/eventually.ts";
import { BASE_ENV, kill } from "./testing/test-home.ts";

let home: string;
let notices: Notice[];
let downs: string[];
let ups: number;
let launchers: Launcher[];
let gates: number[];
let scripts: { attempt: string; script: string }[];

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "nexus-launcher-"));
  mkdirSync(join(home, "attempts"));
  notices = [];
  downs = [];
  ups = 0;
  launchers = [];
  gates = [];
  scripts = [];
});

afterEach(async () => {
  for (const launcher of launchers) await launcher.close();
  for (const gate of gates) closeSync(gate);
  await eventually("end of launchers and supervisors", () => {
    const left = openProcessTable().running(join(home, "launcher-"));
    for (const { pid } of left) kill(pid);
    return left.length === 0;
  });
  rmSync(home, { recursive: true });
});

async function launch(
  shell: string,
  table: ProcessTable = openProcessTable(),
  options: Partial<LauncherOptions> = {},
): Promise<Launcher> {
  const launcher = await startLauncher({
    home,
    attemptsFolder: join(home, "attempts"),
    scriptPath: await writeLauncherScript(home),
    bootId: "boot-1",
    identity: table.kind,
    env: { ...BASE_ENV, PATH: `${dirname(shell)}:${BASE_ENV.PATH}` },
    shells: [shell],
    onNotices: (some) => notices.push(...some),
    onUp: () => {
      ups += 1;
    },
    onDown: (why) => downs.push(why),
    ...options,
  });
  launchers.push(launcher);
  return launcher;
}

function write(attempt: string, script: string): void {
  const env = { NEXUS_ATTEMPT_ID: attempt };
  const job = { command: ["sh", "-c", script], env, cwd: home, cgroupProcs: null };
  scripts.push({ attempt, script: jobScript(job) });
}

/** Jobs stand at it without a look again and again: opening a pipe waits for its writer. It stays open for those who come late. */
function makeGate(): { wait: string; open(): void } {
  const path = join(home, "gate");
  expect(spawnSync("mkfifo", [path]).status).toBe(0);
  return {
    wait: `: <${path}`,
    open() {
      gates.push(openSync(path, "r+"));
    },
  };
}

/** All that was written so far and these name stands in one order. */
function order(launcher: Launcher, attempts: string[]): void {
  const [first = ""] = attempts;
  const path = join(home, "attempts", `${first}.sh`);
  writeFileSync(path, orderScript(scripts.filter(({ attempt }) => attempts.includes(attempt))));
  launcher.order([{ order: first, attempts }]);
}

function file(attempt: string, name: "log" | "record"): string {
  return join(home, "attempts", `${attempt}.${name}`);
}

function read(attempt: string, name: "log" | "record"): string {
  return readFileSync(file(attempt, name), "latin1");
}

function noticed<K extends Notice["kind"]>(kind: K, attempt: string): Promise<Extract<Notice, { kind: K }>> {
  const isIt = (notice: Notice): notice is Extract<Notice, { kind: K }> =>
    notice.kind === kind && notice.attempt === attempt;
  return eventually(`${kind} ${attempt}`, () => notices.find(isIt));
}

/** What machines have as their shells; the last is how a system without bash and util-linux looks. */
const KINDS = [
  { shell: "/bin/bash", grouping: "own group", ignored: 0 },
  { shell: "/bin/dash", grouping: "setsid", ignored: 0 },
  { shell: "/usr/bin/mksh", grouping: "own group", ignored: 0 },
  { shell: "busybox", grouping: "plain setsid", ignored: 6 },
].filter(({ shell }) => existsSync(shell === "busybox" ? "/usr/bin/busybox" : shell));

it("[J60] what many supervisors say after one another reaches the agent together", async () => {
  const gate = makeGate();
  const attempts = Array.from({ length: 12 }, (_, n) => `a_${n}`);
  for (const attempt of attempts) write(attempt, gate.wait);
  const batches: number[] = [];
  const launcher = await launch("/bin/bash", undefined, {
    readGapMs: 1000,
    onNotices: (some) => {
      notices.push(...some);
      batches.push(some.length);
    },
  });
  // Each in an order of its own, so that each has a supervisor of its own.
  for (const attempt of attempts) order(launcher, [attempt]);
  for (const attempt of attempts) await noticed("started", attempt);
  gate.open();
  for (const attempt of attempts) await noticed("exited", attempt);
  expect(notices.length).toBe(2 * attempts.length);
  expect(batches.length).toBeLessThan(attempts.length);
});

describe.each(KINDS)("with $shell ($grouping)", ({ shell: name, grouping, ignored }) => {
  function shell(): string {
    if (name !== "busybox") return name;
    // With its own setsid beside it, which has no -f: not every busybox prefers its own programs.
    const folder = join(home, "bin");
    if (!existsSync(folder)) {
      mkdirSync(folder);
      for (const program of ["sh", "setsid"]) symlinkSync("/usr/bin/busybox", join(folder, program));
    }
    return join(folder, "sh");
  }

  it("[J20] a job runs with its own process group, no input, and signals as a login shell would give them", async () => {
    const launcher = await launch(shell());
    write(
      "a_1",
      "cat; grep -E 'Sig(Ign|Blk)' /proc/self/status; cut -d' ' -f5,6 /proc/$$/stat; ls -l /proc/$$/fd",
    );
    order(launcher, ["a_1"]);
    const { claim, childPid } = await noticed("started", "a_1");
    expect(await noticed("exited", "a_1")).toMatchObject({ status: 0 });
    const log = read("a_1", "log");
    expect(log).toContain("SigBlk:\t0000000000000000");
    expect(Number.parseInt(/SigIgn:\t(\w+)/.exec(log)?.[1] ?? "", 16)).toBe(ignored);
    expect(log).toContain(`${childPid} ${claim.session}\n`);
    expect(childPid).not.toBe(launcher.pid());
    const open = log.split("\n").flatMap((line) => line.split(" -> ")[1] ?? []);
    const itsLog = file("a_1", "log");
    expect(open.slice(0, 3)).toEqual(["/dev/null", itsLog, itsLog]);
    // Nothing of its supervisor's: not its record, nor the pipe to the agent, nor a script.
    expect(open.slice(3).filter((file) => /socket|nexus/.test(file))).toEqual([]);
  });

  it("[J26] exit codes and signals are recorded, with the times of start and end", async () => {
    const launcher = await launch(shell());
    write("a_ok", "exit 0");
    write("a_code", "exit 42");
    write("a_signal", "kill -9 $$");
    order(launcher, ["a_ok", "a_code", "a_signal"]);
    for (const [attempt, status] of [
      ["a_ok", 0],
      ["a_code", 42],
      ["a_signal", 137],
    ] as const) {
      const { uptimeMs } = await noticed("exited", attempt);
      const record = parseRecord(read(attempt, "record"));
      expect(record.end).toEqual({ kind: "exit", status, uptimeMs });
      expect(record.claim).toMatchObject({ bootId: "boot-1" });
      expect(record.claim?.uptimeMs).toBeLessThanOrEqual(uptimeMs ?? -1);
    }
  });

  it("[J26] ends by signals are told while other jobs of the same supervisor run on", async () => {
    const launcher = await launch(shell());
    write("a_long", "while [ ! -e go ]; do sleep 0.02; done; exit 3");
    const killed = Array.from({ length: 7 }, (_, index) => `a_${index}`);
    for (const attempt of killed) write(attempt, "kill -9 $$");
    order(launcher, ["a_long", ...killed]);
    for (const attempt of killed) expect(await noticed("exited", attempt)).toMatchObject({ status: 137 });
    expect(notices.some((one) => one.kind === "exited" && one.attempt === "a_long")).toBe(false);
    writeFileSync(join(home, "go"), "");
    expect(await noticed("exited", "a_long")).toMatchObject({ status: 3 });
  });

  it("[J20] jobs that are ordered together inherit nothing of each other", async () => {
    const launcher = await launch(shell());
    const attempts = ["a_1", "a_2", "a_3"];
    for (const attempt of attempts) write(attempt, "ls -l /proc/$$/fd");
    order(launcher, attempts);
    for (const attempt of attempts) {
      await noticed("exited", attempt);
      const open = read(attempt, "log")
        .split("\n")
        .flatMap((line) => line.split(" -> ")[1] ?? []);
      expect(open.filter((file) => file.startsWith(home))).toEqual([
        file(attempt, "log"),
        file(attempt, "log"),
      ]);
      expect(open.some((file) => file.startsWith("socket:"))).toBe(false);
    }
  });

  it("[J42] a supervisor tells whether its job left something in its process group", async () => {
    const launcher = await launch(shell());
    write("a_alone", "true");
    write("a_left", `sleep 600 & echo $! >${home}/left`);
    order(launcher, ["a_alone", "a_left"]);
    // Where the job shares its supervisor's group, that cannot be told, and the agent looks by itself.
    expect((await noticed("exited", "a_alone")).alone).toBe(grouping === "own group");
    expect((await noticed("exited", "a_left")).alone).toBe(false);
    kill(Number(readFileSync(join(home, "left"), "utf8")));
  });

  it("[J28] signals to a supervisor neither end it nor falsify the exit code, and a stopped job goes on", async () => {
    const launcher = await launch(shell());
    // Many, since what a signal does to a waiting shell is a matter of moments.
    const attempts = Array.from({ length: 12 }, (_, index) => `a_${index}`);
    const gate = makeGate();
    for (const attempt of attempts) write(attempt, `echo up; ${gate.wait}; exit 7`);
    order(launcher, attempts);
    const storm = ["SIGTERM", "SIGINT", "SIGHUP", "SIGUSR1", "SIGQUIT", "SIGALRM"] as const;
    for (const attempt of attempts) {
      const { claim, childPid } = await noticed("started", attempt);
      await eventually(
        "the job runs",
        () => existsSync(file(attempt, "log")) && read(attempt, "log") === "up\n",
      );
      for (const signal of storm) kill(claim.pid, signal);
      kill(childPid, "SIGSTOP");
      const state = () => readFileSync(`/proc/${childPid}/stat`, "latin1").split(") ")[1]?.[0];
      // Where the job shares its supervisor's group, the first process is the supervisor itself.
      await eventually("the job is stopped", () => state() === "T");
      kill(claim.pid, "SIGTERM");
      kill(childPid, "SIGCONT");
    }
    gate.open();
    for (const attempt of attempts) {
      expect(await noticed("exited", attempt)).toMatchObject({ status: 7 });
      expect(parseRecord(read(attempt, "record")).end).toMatchObject({ kind: "exit", status: 7 });
    }
  });

  it("[J21] an attempt that is ordered twice, to two launchers at once, runs once", async () => {
    const two = [await launch(shell()), await launch(shell())];
    const attempts = Array.from({ length: 20 }, (_, index) => `a_${index}`);
    for (const attempt of attempts) write(attempt, `echo ran >>${home}/ran-${attempt}`);
    for (const launcher of two) order(launcher, [...attempts, ...attempts]);
    for (const attempt of attempts) {
      await noticed("exited", attempt);
      await eventually("three refusals", () => {
        return notices.filter((one) => one.kind === "unclaimed" && one.attempt === attempt).length === 3;
      });
      expect(readFileSync(join(home, `ran-${attempt}`), "utf8")).toBe("ran\n");
    }
  });

  it("[J29] a supervisor whose agent and launcher are gone still records the end", async () => {
    const launcher = await launch(shell());
    write("a_1", "echo up; while [ ! -e go ]; do sleep 0.02; done; echo down; exit 9");
    order(launcher, ["a_1"]);
    await noticed("started", "a_1");
    const pid = launcher.pid() ?? 0;
    await launcher.close();
    kill(pid);
    writeFileSync(join(home, "go"), "");
    await eventually("the record", () => parseRecord(read("a_1", "record")).end);
    expect(parseRecord(read("a_1", "record")).end).toMatchObject({ kind: "exit", status: 9 });
    expect(read("a_1", "log")).toBe("up\ndown\n");
  });
});

it("[J20] no text of a job is ever in the command line of a launcher or supervisor", async () => {
  const launcher = await launch("/bin/sh");
  write("a_1", "echo up; sleep 60; echo s3cret");
  order(launcher, ["a_1"]);
  const { childPid } = await noticed("started", "a_1");
  await eventually("the job runs", () => read("a_1", "log") === "up\n");
  const words = openProcessTable()
    .running(join(home, "launcher-"))
    .flatMap((one) => one.words);
  expect(words.join(" ")).not.toContain("s3cret");
  kill(-childPid, "SIGTERM");
  await noticed("exited", "a_1");
});

it("[J20] a launcher that is killed is replaced, and its supervisors go on telling", async () => {
  const shell = SHELLS.find((path) => existsSync(path)) ?? "/bin/sh";
  const launcher = await launch(shell);
  write("a_1", "while [ ! -e go ]; do sleep 0.02; done; exit 5");
  order(launcher, ["a_1"]);
  await noticed("started", "a_1");
  kill(launcher.pid() ?? 0);
  await eventually("a new launcher", () => ups === 2);
  expect(downs).toHaveLength(1);
  writeFileSync(join(home, "go"), "");
  expect(await noticed("exited", "a_1")).toMatchObject({ status: 5 });
  write("a_2", "exit 6");
  order(launcher, ["a_2"]);
  expect(await noticed("exited", "a_2")).toMatchObject({ status: 6 });
});

it("[J20] a machine without a usable shell is told so", async () => {
  await expect(launch(join(home, "nothing"))).rejects.toThrow(/No shell on this machine can start jobs/);
  writeFileSync(join(home, "fake"), "#!/bin/sh\necho ready none\n", { mode: 0o755 });
  await expect(launch(join(home, "fake"))).rejects.toThrow(/Install bash/);
});

it("[J25] identities through ps, where there is no /proc, are what the process table sees", async () => {
  const table = openProcessTable("ps");
  const launcher = await launch("/bin/sh", table);
  write("a_1", "while [ ! -e go ]; do sleep 0.02; done");
  order(launcher, ["a_1"]);
  const { claim } = await noticed("started", "a_1");
  expect(table.startTimeOf(claim.pid)).toBe(claim.startTime);
  expect(claim.uptimeMs).toBeNull();
  const rows = await eventually("the marker", () => {
    const seen = table.scan(null);
    return seen.some(({ attempt }) => attempt === "a_1") ? seen : null;
  });
  expect(rows.find(({ pid }) => pid === claim.pid)).toMatchObject({ startTime: claim.startTime });
  writeFileSync(join(home, "go"), "");
  await noticed("exited", "a_1");
});
