import { execFileSync, spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createTreeEnder } from "./end-trees.ts";
import { openJobCgroups } from "./job-cgroups.ts";
import { openProcessTable } from "./process-table.ts";
import { eventually } from "./testing/eventually.ts";
import { jobStart, kill, sh, type TestHome, type TestSupervisor, testHome } from "./testing/test-home.ts";

let home: TestHome;
const table = openProcessTable();
beforeEach(() => {
  home = testHome();
});
afterEach(() => home.end());

const CANCEL = { reason: "cancelled", graceMs: 200 } as const;

/** Starts it and waits until it has written `lines` lines. */
async function running(supervisor: TestSupervisor, script: string, lines = 1) {
  const job = sh(script, { graceMs: 200 });
  await supervisor.start([job]);
  await supervisor.started(job.attempt);
  const log = await eventually("output", () => {
    const text = existsSync(supervisor.logPath(job.attempt))
      ? readFileSync(supervisor.logPath(job.attempt), "utf8")
      : "";
    return text.split("\n").length > lines ? text : null;
  });
  return { ...job, log };
}

function alive(attempt: string): number {
  return table.scan(null).filter((row) => row.attempt === attempt).length;
}

describe.each(["off", "auto"] as const)("with cgroups %s", (cgroups) => {
  it("[J40] a stopped job may end in its own way within its grace", async () => {
    const supervisor = await home.open({ cgroups });
    const job = await running(
      supervisor,
      "trap 'echo bye; exit 5' TERM; echo up; while :; do sleep 0.02; done",
    );
    supervisor.stop(job.attempt, { reason: "cancelled", graceMs: 60_000 });
    expect(await supervisor.exited(job.attempt)).toMatchObject({
      exitCode: 5,
      reason: "cancelled",
      leftovers: [],
    });
    expect(readFileSync(supervisor.logPath(job.attempt), "utf8")).toMatch(/^up\n(.|\n)*bye\n$/);
  });

  it("[J40] what ignores TERM is killed after the grace, with all that left the group, and the record is kept", async () => {
    const supervisor = await home.open({ cgroups });
    const deaf = `trap "" TERM; echo up; while :; do sleep 0.02; done`;
    const job = await running(supervisor, `setsid sh -c '${deaf}' & sh -c '${deaf}' & ${deaf}`, 3);
    expect(alive(job.attempt)).toBeGreaterThanOrEqual(3);
    supervisor.stop(job.attempt, CANCEL);
    expect(await supervisor.exited(job.attempt)).toMatchObject({
      exitCode: null,
      signal: "SIGKILL",
      reason: "cancelled",
      leftovers: [],
    });
    expect(alive(job.attempt)).toBe(0);
  });

  it("[J40] a job that is stopped by SIGSTOP is ended as well", async () => {
    const supervisor = await home.open({ cgroups });
    const job = await running(supervisor, "trap 'exit 6' TERM; echo up; while :; do sleep 0.02; done");
    const [first] = supervisor.inventory();
    kill(first?.pid ?? 0, "SIGSTOP");
    supervisor.stop(job.attempt, { reason: "cancelled", graceMs: 60_000 });
    expect(await supervisor.exited(job.attempt)).toMatchObject({ exitCode: 6, reason: "cancelled" });
  });

  it("[J42] what a job leaves behind is ended before the job is reported, when it holds GPUs", async () => {
    const supervisor = await home.open({ cgroups });
    const job = sh("setsid sleep 600 & sleep 600 & echo left; exit 3", { gpus: ["GPU-1"], graceMs: 200 });
    await supervisor.start([job]);
    expect(await supervisor.exited(job.attempt)).toMatchObject({
      exitCode: 3,
      reason: "exited",
      leftovers: [],
    });
    expect(alive(job.attempt)).toBe(0);
  });

  it("[J42] what a job without GPUs leaves in its group is ended before, and what has left it soon after", async () => {
    const supervisor = await home.open({ cgroups });
    const grouped = sh("sleep 600 & exit 3", { graceMs: 200 });
    const escaped = sh("setsid sleep 600 & sleep 0.1; exit 4", { graceMs: 200 });
    await supervisor.start([grouped, escaped]);
    expect(await supervisor.exited(grouped.attempt)).toMatchObject({ exitCode: 3 });
    expect(alive(grouped.attempt)).toBe(0);
    expect(await supervisor.exited(escaped.attempt)).toMatchObject({ exitCode: 4 });
    await eventually("end of what escaped", () => alive(escaped.attempt) === 0);
  });
});

describe("without a cgroup", () => {
  const daemon = `echo $$; trap "" TERM; while :; do /bin/sleep 0.02; done`;
  it.each([
    ["its ancestor lives", `setsid env -i /bin/sh -c '${daemon}' & exec sleep 600`],
    ["it writes to the log", `(setsid env -i /bin/sh -c '${daemon}' &) ; exec sleep 600`],
    [
      "its first process has ended",
      `(setsid env -i /bin/sh -c '${daemon}' &) ; while [ ! -e "$GO" ]; do sleep 0.02; done`,
    ],
  ])(
    "[J54] a process that left the session and cleared its environment is ended when %s",
    async (_, script) => {
      const supervisor = await home.open({ cgroups: "off" });
      const go = join(home.path, "go");
      const job = sh(script, { graceMs: 200, gpus: ["GPU-1"], env: { GO: go } });
      await supervisor.start([job]);
      await supervisor.started(job.attempt);
      const pid = await eventually(
        "its pid",
        () => Number(readFileSync(supervisor.logPath(job.attempt), "utf8")) || null,
      );
      expect(table.startTimeOf(pid)).not.toBeNull();
      writeFileSync(go, "");
      supervisor.stop(job.attempt, CANCEL);
      expect(await supervisor.exited(job.attempt)).toMatchObject({ leftovers: [] });
      expect(table.startTimeOf(pid)).toBeNull();
    },
  );
});

// tidy-allow skip: only a machine where this user may make cgroups can show it; as root on Linux that is so
it.skipIf(openJobCgroups("/test") === null)(
  "[J43] where the agent owns a cgroup, also a process without the marker and outside of the group is ended",
  async () => {
    const supervisor = await home.open();
    const job = await running(supervisor, "setsid env -i /bin/sleep 600 & echo up; exec sleep 600");
    const [cgroup] =
      readFileSync(join(home.path, "attempts.journal"), "utf8").match(/\/[^"]*nexus-jobs[^"]*/) ?? [];
    const inside = () =>
      existsSync(cgroup ?? "")
        ? readFileSync(join(cgroup ?? "", "cgroup.procs"), "utf8")
            .trim()
            .split("\n")
            .map(Number)
        : [];
    const pids = await eventually("both inside", () => (inside().length === 2 ? inside() : null));
    const supervisors = table.running(join(home.path, "launcher-")).map(({ pid }) => pid);
    expect(pids.filter((pid) => supervisors.includes(pid))).toEqual([]);
    supervisor.stop(job.attempt, CANCEL);
    expect(await supervisor.exited(job.attempt)).toMatchObject({ reason: "cancelled", leftovers: [] });
    for (const pid of pids) expect(table.startTimeOf(pid)).toBeNull();
    await supervisor.forget([job.attempt]);
    expect(existsSync(cgroup ?? "")).toBe(false);
  },
);

// tidy-allow skip: only a machine where this user may make cgroups can show it; as root on Linux that is so
it.skipIf(openJobCgroups("/test") === null)(
  "[J43] a job that holds GPUs is in its cgroup from its first instruction",
  async () => {
    const supervisor = await home.open();
    const job = { ...sh("cat /proc/self/cgroup"), gpus: ["GPU-1"] };
    await supervisor.start([job]);
    await supervisor.exited(job.attempt);
    expect(readFileSync(supervisor.logPath(job.attempt), "utf8")).toMatch(
      new RegExp(`nexus-jobs.*/${job.attempt}$`, "m"),
    );
  },
);

it("[J40] without /proc the ladder works through ps, and so does taking over", async () => {
  const options = { processes: "ps", cgroups: "off" } as const;
  const first = await home.open(options);
  const deaf = `trap "" TERM; echo up; while :; do sleep 0.02; done`;
  const job = await running(first, `setsid sh -c '${deaf}' & ${deaf}`, 2);
  await first.close();
  const supervisor = await home.open(options);
  expect(supervisor.inventory()).toMatchObject([{ attempt: job.attempt, state: "running" }]);
  supervisor.stop(job.attempt, CANCEL);
  expect(await supervisor.exited(job.attempt)).toMatchObject({
    signal: "SIGKILL",
    reason: "cancelled",
    leftovers: [],
  });
  expect(alive(job.attempt)).toBe(0);
});

it("[J40] time in which the agent stood still is none in which KILL did not help", async () => {
  const deaf = `trap "" TERM; echo up; while :; do sleep 0.02; done`;
  const child = spawn("/bin/sh", ["-c", deaf], { detached: true, stdio: ["ignore", "pipe", "ignore"] });
  await new Promise((resolve) => child.stdout.once("data", resolve));
  const group = child.pid ?? 0;
  let stoodStillMs = 0;
  const ender = createTreeEnder(table, () => performance.now() + stoodStillMs);
  const where = { supervisorPid: null, group, session: group, since: null, cgroup: null, kin: new Map() };
  const ended = ender.end(
    { ...where, attempt: "a_still", log: join(home.path, "log") },
    { graceMs: 500, over: () => true },
  );
  stoodStillMs = 60_000;
  try {
    expect(await ended).toEqual([]);
  } finally {
    ender.close();
    child.kill("SIGKILL");
  }
});

describe("stops", () => {
  it("[J44] a stop that comes before the job began voids it: it never runs, however late its order arrives", async () => {
    const supervisor = await home.open();
    const launcher = table.running(join(home.path, "launcher-"))[0]?.pid ?? 0;
    kill(launcher, "SIGSTOP");
    const job = sh(`touch ${join(home.path, "ran")}`);
    const after = sh("exit 1");
    await supervisor.start([job]);
    supervisor.stop(job.attempt, CANCEL);
    expect(await supervisor.exited(job.attempt)).toMatchObject({
      exitCode: null,
      reason: "cancelled",
      message: "It was stopped before it started.",
      logBytes: 0,
    });
    await supervisor.start([after]);
    kill(launcher, "SIGCONT");
    await supervisor.exited(after.attempt);
    expect(existsSync(join(home.path, "ran"))).toBe(false);
    expect(await supervisor.start([job])).toMatchObject([{ state: "exited" }]);
  });

  it("[J44] a stop that comes while its start is being recorded is not lost", async () => {
    const supervisor = await home.open();
    const job = jobStart(["sleep", "600"]);
    const answer = supervisor.start([job]);
    supervisor.stop(job.attempt, CANCEL);
    expect(await answer).toMatchObject([{ state: "recorded" }]);
    expect(await supervisor.exited(job.attempt)).toMatchObject({ reason: "cancelled" });
  });

  it("[J44] stops of unknown and of ended attempts change nothing", async () => {
    const supervisor = await home.open();
    const job = sh("exit 2");
    await supervisor.start([job]);
    await supervisor.exited(job.attempt);
    supervisor.stop(job.attempt, CANCEL);
    supervisor.stop("a_unknown", CANCEL);
    expect(supervisor.inventory()).toMatchObject([{ exit: { exitCode: 2, reason: "exited" } }]);
    expect(supervisor.events).toHaveLength(2);
  });

  it("[J45] a job that outruns its time is ended and told so", async () => {
    const supervisor = await home.open();
    const slow = sh("sleep 600", { timeoutMs: 200, graceMs: 60_000 });
    const quick = sh("true", { timeoutMs: 60_000 });
    await supervisor.start([slow, quick]);
    expect(await supervisor.exited(quick.attempt)).toMatchObject({ exitCode: 0, reason: "exited" });
    const exited = await supervisor.exited(slow.attempt);
    expect(exited).toMatchObject({ reason: "timed_out", signal: "SIGTERM" });
    expect(exited.ranMs).toBeGreaterThanOrEqual(190);
  });
});

describe("a supervisor that is killed", () => {
  it("[J46] with its job: the agent sees the tree gone and writes the record itself", async () => {
    const supervisor = await home.open();
    const job = await running(supervisor, "echo up; exec sleep 600");
    const supervisors = table
      .running(join(home.path, "launcher-"))
      .filter(({ pid, session }) => pid !== session);
    for (const { pid } of supervisors) kill(pid);
    kill(supervisor.inventory()[0]?.pid ?? 0);
    expect(await supervisor.exited(job.attempt)).toMatchObject({
      exitCode: null,
      signal: null,
      reason: "vanished",
      message: expect.stringMatching(/supervisor was killed/),
      logBytes: 3,
    });
    expect(readFileSync(join(home.path, "attempts", `${job.attempt}.record`), "latin1")).toMatch(
      /^lost \d+\.\d\d \.$/m,
    );
  });

  it("[J46] alone: its job runs on as running, and can be stopped", async () => {
    const supervisor = await home.open();
    const go = join(home.path, "go");
    const script = `echo up; while [ ! -e ${go} ]; do sleep 0.02; done; echo down`;
    const [one, two] = [await running(supervisor, script), await running(supervisor, script)];
    for (const { pid, session } of table.running(join(home.path, "launcher-")))
      if (pid !== session) kill(pid);
    supervisor.stop(two.attempt, CANCEL);
    expect(await supervisor.exited(two.attempt)).toMatchObject({ reason: "cancelled", exitCode: null });
    expect(supervisor.inventory()[0]).toMatchObject({ attempt: one.attempt, state: "running" });
    writeFileSync(go, "");
    expect(await supervisor.exited(one.attempt)).toMatchObject({ reason: "vanished", exitCode: null });
    expect(readFileSync(supervisor.logPath(one.attempt), "utf8")).toBe("up\ndown\n");
  });

  it("[J46] together with others of its line: each of them runs on, and is told by itself", async () => {
    const supervisor = await home.open();
    const jobs = Array.from({ length: 3 }, () => sh("echo up; exec sleep 600"));
    await supervisor.start(jobs);
    for (const { attempt } of jobs) {
      await supervisor.started(attempt);
      // Until then its process is one of the launcher's script.
      await eventually("it runs", () => readFileSync(supervisor.logPath(attempt), "utf8") === "up\n");
    }
    for (const { pid, session } of table.running(join(home.path, "launcher-")))
      if (pid !== session) kill(pid);
    for (const { attempt } of jobs) {
      expect(supervisor.inventory().find((one) => one.attempt === attempt)).toMatchObject({
        state: "running",
      });
      supervisor.stop(attempt, CANCEL);
      expect(await supervisor.exited(attempt)).toMatchObject({ reason: "cancelled", exitCode: null });
    }
  });

  it("[J46] before it claimed all of its line: the rest is ordered again, and begins once", async () => {
    const supervisor = await home.open();
    const ran = join(home.path, "ran");
    const [one, two] = [sh("exec sleep 600"), sh(`echo ran >>${ran}; exit 4`)];
    // It cannot pass by a pipe that nobody reads.
    const pipe = join(home.path, "attempts", `${two.attempt}.log`);
    execFileSync("mkfifo", [pipe]);
    await supervisor.start([one, two]);
    const record = join(home.path, "attempts", `${one.attempt}.record`);
    await eventually("the first is claimed", () => existsSync(record));
    for (const { pid, session } of table.running(join(home.path, "launcher-")))
      if (pid !== session) kill(pid);
    rmSync(pipe);
    expect(await supervisor.exited(two.attempt)).toMatchObject({ exitCode: 4 });
    expect(readFileSync(ran, "utf8")).toBe("ran\n");
    supervisor.stop(one.attempt, CANCEL);
    await supervisor.exited(one.attempt);
  });
});

describe("a supervisor that comes late", () => {
  it.each(["/bin/bash", "/bin/sh"])(
    "[J38] [J44] %s: to an attempt that was forgotten, it does not begin it",
    async (shell) => {
      const supervisor = await home.open({ shells: [shell], lookEveryMs: 50 });
      const ran = join(home.path, "ran");
      const [slow, stopped] = [sh("echo up; exit 3"), sh(`echo ran >>${ran}`)];
      // No supervisor of theirs can pass by a pipe that nobody reads.
      const pipes = [slow, stopped].map(({ attempt }) => join(home.path, "attempts", `${attempt}.log`));
      for (const pipe of pipes) execFileSync("mkfifo", [pipe]);
      await supervisor.start([slow, stopped]);
      supervisor.stop(stopped.attempt, CANCEL);
      expect(await supervisor.exited(stopped.attempt)).toMatchObject({ reason: "cancelled", exitCode: null });
      await supervisor.forget([stopped.attempt]);
      const readers = pipes.filter((pipe) => existsSync(pipe)).map((pipe) => spawn("cat", [pipe]));
      expect(await supervisor.exited(slow.attempt)).toMatchObject({ exitCode: 3 });
      await eventually("nothing of it is left", () => {
        const left = readdirSync(join(home.path, "attempts")).filter((name) =>
          name.startsWith(stopped.attempt),
        );
        return (
          left.length === 0 && supervisor.inventory().every(({ attempt }) => attempt !== stopped.attempt)
        );
      });
      for (const reader of readers) reader.kill();
      expect(existsSync(ran)).toBe(false);
    },
  );
});
