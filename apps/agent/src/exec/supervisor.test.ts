import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readJournal } from "./read-journal.ts";
import { eventually } from "./testing/eventually.ts";
import { jobStart, kill, sh, type TestHome, testHome } from "./testing/test-home.ts";

let home: TestHome;
beforeEach(() => {
  home = testHome();
});
afterEach(() => home.end());

/** A job that waits for a file. */
function waiting(name: string, then = "true") {
  return sh(`echo up; while [ ! -e ${join(home.path, name)} ]; do sleep 0.02; done; ${then}`);
}

function release(name: string): void {
  writeFileSync(join(home.path, name), "");
}

describe("starting", () => {
  it("[J22] a job runs where and with what it was told, and its output is in its log in the order of writing", async () => {
    const supervisor = await home.open();
    const job = sh("pwd; echo one; echo two >&2; echo three; echo $X $NEXUS_JOB_ID; exit 3", {
      env: { X: "it's" },
      cwd: "/usr/lib",
    });
    expect(await supervisor.start([job])).toEqual([{ attempt: job.attempt, fence: 1, state: "recorded" }]);
    const started = await supervisor.started(job.attempt);
    const exited = await supervisor.exited(job.attempt);
    expect(readFileSync(supervisor.logPath(job.attempt), "utf8")).toBe(
      `/usr/lib\none\ntwo\nthree\nit's ${job.job}\n`,
    );
    expect(started).toMatchObject({ fence: 1, pid: expect.any(Number) });
    expect(exited).toMatchObject({
      fence: 1,
      exitCode: 3,
      signal: null,
      reason: "exited",
      message: null,
      leftovers: [],
      logBytes: statSync(supervisor.logPath(job.attempt)).size,
    });
    expect(exited.ranMs).toBeGreaterThanOrEqual(0);
  });

  it("[L27] what a job's log must not show is known to the next agent too, and goes with the attempt", async () => {
    const first = await home.open();
    const env = { TOKEN: "hunter22", OTHER: "plain", NEXUS_MASK: "TOKEN, ABSENT" };
    const [job, open] = [sh("true", { env }), sh("true")];
    await first.start([job, open]);
    await first.exited(job.attempt);
    await first.exited(open.attempt);
    await first.close();
    const next = await home.open();
    expect([next.masks(job.attempt), next.masks(open.attempt)]).toEqual([["hunter22"], []]);
    const masks = next.logPath(job.attempt).replace(/log$/, "masks");
    expect(statSync(masks).mode & 0o777).toBe(0o600);
    writeFileSync(masks, "torn");
    expect(() => next.masks(job.attempt)).toThrow();
    rmSync(masks);
    expect(() => next.masks(job.attempt)).toThrow("ENOENT");
    await next.forget([job.attempt]);
    await expect.poll(() => existsSync(masks)).toBe(false);
  });

  it("[B16] attempts that start together share orders, eight and 64 KiB to each, and all of them run", async () => {
    const supervisor = await home.open();
    const small = Array.from({ length: 20 }, () => sh("true"));
    const large = Array.from({ length: 3 }, () => sh("true", { env: { LARGE: "x".repeat(40_000) } }));
    await supervisor.start([...small, ...large]);
    const { attempts } = await readJournal(join(home.path, "attempts.journal"));
    const orders = Map.groupBy([...small, ...large], ({ attempt }) => attempts.get(attempt)?.order);
    expect([...orders.values()].map((jobs) => jobs.length)).toEqual([8, 8, 5, 1, 1]);
    for (const { attempt } of [...small, ...large])
      expect((await supervisor.exited(attempt)).exitCode).toBe(0);
  });

  it("[P48] a gap in a log is known to the next agent too, until the attempt is forgotten", async () => {
    const first = await home.open();
    const [job, whole] = [sh("true"), sh("true")];
    await first.start([job, whole]);
    await first.exited(job.attempt);
    first.noteLogGaps([{ attempt: job.attempt, fence: 1, offset: 42 }]);
    first.noteLogGaps([{ attempt: job.attempt, fence: 1, offset: 99 }]);
    await first.close();
    const next = await home.open();
    expect(next.logGaps()).toEqual([{ attempt: job.attempt, fence: 1, offset: 42 }]);
    await next.close();
    const third = await home.open();
    expect(third.logGaps()).toHaveLength(1);
    await third.forget([job.attempt]);
    expect(third.logGaps()).toEqual([]);
  });

  it("[J22] without a directory a job runs in the user's home, and ~ is that home", async () => {
    const place = { HOME: join(home.path, "jane") };
    mkdirSync(join(place.HOME, "sub"), { recursive: true });
    const { BASE_ENV } = await import("./testing/test-home.ts");
    const supervisor = await home.open({ baseEnv: { ...BASE_ENV, ...place } });
    const jobs = [jobStart(["pwd"], { cwd: null }), jobStart(["pwd"], { cwd: "~/sub" })];
    await supervisor.start(jobs);
    for (const [job, folder] of [
      [jobs[0], place.HOME],
      [jobs[1], join(place.HOME, "sub")],
    ] as const) {
      await supervisor.exited(job?.attempt ?? "");
      expect(readFileSync(supervisor.logPath(job?.attempt ?? ""), "utf8")).toBe(`${folder}\n`);
    }
  });

  it("[J26] an end by a signal is told by its name", async () => {
    const supervisor = await home.open();
    const job = sh("kill -SEGV $$");
    await supervisor.start([job]);
    expect(await supervisor.exited(job.attempt)).toMatchObject({
      exitCode: null,
      signal: "SIGSEGV",
      reason: "exited",
    });
  });

  it("[J26] a command that turns out not to be executable says why in its log", async () => {
    const supervisor = await home.open();
    const script = join(home.path, "script");
    writeFileSync(script, "#!/no/such/interpreter\n", { mode: 0o755 });
    const job = jobStart([script]);
    await supervisor.start([job]);
    const { exitCode } = await supervisor.exited(job.attempt);
    expect([126, 127]).toContain(exitCode);
    expect(readFileSync(supervisor.logPath(job.attempt), "utf8")).toMatch(/not found|bad interpreter/i);
  });

  it("[J23] what cannot run is refused with a code and a sentence, and the rest of its batch runs", async () => {
    const supervisor = await home.open();
    writeFileSync(join(home.path, "plain"), "not a program");
    const good = sh("exit 0");
    const bad = [
      [jobStart(["no-such-command"]), "not_found", /"no-such-command" was not found on this node \(PATH is/],
      [jobStart([join(home.path, "plain")]), "not_found", /is not a program on this node/],
      [jobStart([""]), "not_found", /was not found/],
      [
        jobStart(["true"], { cwd: "/no/such/folder" }),
        "not_found",
        /"\/no\/such\/folder" does not exist on this node/,
      ],
      [jobStart(["true"], { cwd: "/etc/passwd" }), "not_found", /is not a directory/],
      [jobStart(["true"], { cwd: "relative" }), "bad_request", /is not absolute/],
      [jobStart(["echo", "a\0b"]), "bad_request", /NUL/],
      [jobStart(["true"], { env: { A: "\0" } }), "bad_request", /NUL/],
      [
        jobStart(["true"], { env: { "A B": "x" } }),
        "bad_request",
        /"A B" cannot name an environment variable/,
      ],
      [jobStart(["echo", "x".repeat(131_072)]), "too_large", /131073 bytes; the system takes 128 KiB/],
      [jobStart(["true"], { attempt: "../../etc" }), "bad_request", /cannot name an attempt/],
    ] as const;
    const answers = await supervisor.start([...bad.map(([job]) => job), good]);
    for (const [index, [job, code, sentence]] of bad.entries()) {
      expect(answers[index]).toEqual({
        attempt: job.attempt,
        fence: 1,
        state: "refused",
        refusal: { code, fault: null, message: expect.stringMatching(sentence) },
      });
    }
    expect(answers.at(-1)).toMatchObject({ attempt: good.attempt, state: "recorded" });
    await supervisor.exited(good.attempt);
    expect(supervisor.inventory().map(({ attempt }) => attempt)).toEqual([good.attempt]);
  });

  it("[J23] the largest argument that the system takes is taken", async () => {
    const supervisor = await home.open();
    const job = jobStart(["sh", "-c", 'printf %s "$1" | wc -c', "sh", "x".repeat(131_071)]);
    await supervisor.start([job]);
    await supervisor.exited(job.attempt);
    expect(readFileSync(supervisor.logPath(job.attempt), "utf8").trim()).toBe("131071");
  });

  it("[J20] a job that signals its whole process group hits nobody else, not even with KILL", async () => {
    const supervisor = await home.open({ shells: ["/bin/bash"] });
    const other = waiting("go");
    const jobs = [sh("kill -TERM 0"), sh("kill -KILL 0"), other];
    await supervisor.start(jobs);
    expect(await supervisor.exited(jobs[0]?.attempt ?? "")).toMatchObject({ signal: "SIGTERM" });
    expect(await supervisor.exited(jobs[1]?.attempt ?? "")).toMatchObject({ signal: "SIGKILL" });
    release("go");
    expect(await supervisor.exited(other.attempt)).toMatchObject({ exitCode: 0 });
  });

  it("[J48] what was ordered of a launcher that does not come back never begins, and is told as the node's fault", async () => {
    const shell = join(home.path, "shell");
    symlinkSync("/bin/bash", shell);
    const said: (string | null)[] = [];
    const supervisor = await home.open({
      shells: [shell],
      launcherPatienceMs: 300,
      onLauncher: (why) => said.push(why),
    });
    const running = waiting("gate");
    await supervisor.start([running]);
    await supervisor.started(running.attempt);
    const launcher = launcherPid();
    kill(launcher, "SIGSTOP");
    const lost = sh(`touch ${join(home.path, "ran")}`);
    await supervisor.start([lost]);
    unlinkSync(shell);
    kill(launcher, "SIGKILL");
    expect(await supervisor.exited(lost.attempt)).toMatchObject({
      reason: "start_failed",
      nodeFault: {
        code: "launcher_down",
        message: expect.stringMatching(/^its launcher of jobs does not start/),
      },
    });
    expect(said.at(-1)).toContain("down");
    symlinkSync("/bin/bash", shell);
    await eventually("a launcher", () => said.at(-1) === null);
    const next = jobStart(["true"]);
    await supervisor.start([next]);
    await supervisor.exited(next.attempt);
    release("gate");
    expect(await supervisor.exited(running.attempt)).toMatchObject({ exitCode: 0 });
    expect(existsSync(join(home.path, "ran"))).toBe(false);
  });

  it("[J49] a stop is in the journal before anything is done about it", async () => {
    const supervisor = await home.open();
    const launcher = launcherPid();
    kill(launcher, "SIGSTOP");
    const job = jobStart(["true"]);
    await supervisor.start([job]);
    const record = join(home.path, "attempts", `${job.attempt}.record`);
    const journal = () => readFileSync(join(home.path, "attempts.journal"), "utf8");
    supervisor.stop(job.attempt, { reason: "cancelled", graceMs: 100 });
    expect(existsSync(record)).toBe(false);
    await eventually("the record", () => existsSync(record));
    expect(journal()).toContain('"type":"stop"');
    kill(launcher, "SIGCONT");
    expect(await supervisor.exited(job.attempt)).toMatchObject({ reason: "cancelled" });
  });

  it("[J20] starts that a dying launcher lost are given to the next", async () => {
    const supervisor = await home.open();
    const launcher = launcherPid();
    kill(launcher, "SIGSTOP");
    const job = sh("exit 8");
    await supervisor.start([job]);
    kill(launcher, "SIGKILL");
    expect(await supervisor.exited(job.attempt)).toMatchObject({ exitCode: 8 });
    expect(supervisor.notices).toMatchObject([{ code: "launcher_down" }]);
  });
});

describe("starting again", () => {
  it("[J32] a repeated start answers with the attempt's state and starts nothing", async () => {
    const supervisor = await home.open();
    const job = waiting("go", `echo ran >>${join(home.path, "ran")}`);
    const [first, twin, ...rest] = await Promise.all([
      supervisor.start([job, job]),
      supervisor.start([job]),
      supervisor.start([job]),
    ]);
    expect(first).toEqual([
      { attempt: job.attempt, fence: 1, state: "recorded" },
      { attempt: job.attempt, fence: 1, state: "recorded" },
    ]);
    for (const answer of [twin, ...rest]) expect(answer).toMatchObject([{ state: "recorded" }]);
    await supervisor.started(job.attempt);
    expect(await supervisor.start([job])).toMatchObject([{ state: "running" }]);
    release("go");
    await supervisor.exited(job.attempt);
    expect(await supervisor.start([job])).toMatchObject([{ state: "exited" }]);
    expect(readFileSync(join(home.path, "ran"), "utf8")).toBe("ran\n");
    expect(supervisor.events).toHaveLength(2);
  });

  it("[J33] a start below a fence that its job has had here is refused, also after that attempt was forgotten", async () => {
    const supervisor = await home.open();
    const job = sh("true");
    const older = { ...sh("true"), job: job.job, fence: 4 };
    const newer = { ...job, fence: 5 };
    await supervisor.start([newer]);
    await supervisor.exited(newer.attempt);
    const refusal = {
      state: "refused",
      refusal: { code: "conflict", message: expect.stringMatching(/fence 4.*given fence 5/) },
    };
    expect(await supervisor.start([older])).toMatchObject([refusal]);
    await supervisor.forget([newer.attempt]);
    expect(await supervisor.start([older])).toMatchObject([refusal]);
    expect(await supervisor.start([newer])).toMatchObject([
      { state: "refused", refusal: { code: "conflict" } },
    ]);
    await supervisor.close();
    const next = await home.open();
    expect(await next.start([older])).toMatchObject([refusal]);
    expect(await next.start([{ ...older, fence: 6 }])).toMatchObject([{ state: "recorded" }]);
    await next.exited(older.attempt);
  });
});

describe("knowing and forgetting", () => {
  it("[J37] the inventory tells every attempt with its state, size of log and exit, starts under way too", async () => {
    const supervisor = await home.open();
    const [done, running] = [sh("echo 12345; exit 2"), waiting("go")];
    const answers = supervisor.start([done, running]);
    expect(supervisor.inventory()).toMatchObject([
      { attempt: done.attempt, state: "recorded" },
      { attempt: running.attempt, state: "recorded" },
    ]);
    expect([done.attempt, "a_other"].map(supervisor.has)).toEqual([true, false]);
    await answers;
    await supervisor.exited(done.attempt);
    const { pid } = await supervisor.started(running.attempt);
    await eventually(
      "output",
      () =>
        existsSync(supervisor.logPath(running.attempt)) &&
        statSync(supervisor.logPath(running.attempt)).size === 3,
    );
    expect(supervisor.inventory()).toEqual([
      {
        attempt: done.attempt,
        fence: 1,
        state: "exited",
        pid: expect.any(Number),
        startedAgoMs: expect.any(Number),
        logBytes: 6,
        exit: expect.objectContaining({ exitCode: 2, reason: "exited", endedAgoMs: expect.any(Number) }),
      },
      {
        attempt: running.attempt,
        fence: 1,
        state: "running",
        pid,
        startedAgoMs: expect.any(Number),
        logBytes: 3,
        exit: null,
      },
    ]);
    release("go");
    await supervisor.exited(running.attempt);
  });

  it("[J38] a forgotten attempt leaves nothing behind; one that runs is not forgotten", async () => {
    const supervisor = await home.open();
    const [done, running] = [sh("echo hi"), waiting("go")];
    await supervisor.start([done, running]);
    await supervisor.exited(done.attempt);
    await supervisor.started(running.attempt);
    await supervisor.forget([done.attempt, running.attempt, "a_unknown"]);
    expect(supervisor.inventory().map(({ attempt }) => attempt)).toEqual([running.attempt]);
    expect(readdirSync(join(home.path, "attempts")).sort()).toEqual([
      `${running.attempt}.log`,
      `${running.attempt}.record`,
    ]);
    release("go");
    expect(await supervisor.exited(running.attempt)).toMatchObject({ exitCode: 0 });
    expect(readFileSync(supervisor.logPath(running.attempt), "utf8")).toBe("up\n");
  });
});

describe("the home", () => {
  it("[J39] a home that a living agent uses is refused; the lock of a dead one is not in the way", async () => {
    const first = await home.open();
    await expect(home.open()).rejects.toThrow(/Another agent \(process \d+\) uses/);
    await first.close();
    writeFileSync(join(home.path, "supervisor.lock"), "boot-0 1 1\n");
    const second = await home.open();
    const job = sh("true");
    await second.start([job]);
    await second.exited(job.attempt);
  });

  it("[J39] after close nothing is started any more", async () => {
    const supervisor = await home.open();
    await supervisor.close();
    await expect(supervisor.start([sh("true")])).rejects.toThrow(/shutting down/);
  });

  it("[J41] a start whose order cannot be written is refused, and can be repeated when it can", async () => {
    const supervisor = await home.open();
    const folder = join(home.path, "attempts");
    const job = sh("exit 4");
    // A plain file in its place refuses root too.
    writeFileSync(join(folder, "blocked"), "");
    const blocked = { ...job, attempt: "blocked/a_1" };
    expect(await supervisor.start([blocked])).toMatchObject([{ state: "refused" }]);
    chmodSync(folder, 0o700);
    expect(await supervisor.start([job])).toMatchObject([{ state: "recorded" }]);
    expect(await supervisor.exited(job.attempt)).toMatchObject({ exitCode: 4 });
  });
});

function launcherPid(): number {
  const own = readFileSync(`/proc/${process.pid}/task/${process.pid}/children`, "latin1").trim().split(" ");
  const found = own.find((pid) => readFileSync(`/proc/${pid}/cmdline`, "latin1").includes(home.path));
  return Number(found);
}
