import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { parseRecord } from "../core/attempt-record.ts";
import { openProcessTable, readBootId } from "./process-table.ts";
import { eventually } from "./testing/eventually.ts";
import { type AgentProcess, startAgent } from "./testing/start-agent.ts";
import { kill, sh, type TestHome, testHome } from "./testing/test-home.ts";

let home: TestHome;
let agents: AgentProcess[];
const table = openProcessTable();
beforeEach(() => {
  home = testHome();
  agents = [];
});
afterEach(async () => {
  for (const agent of agents) await agent.kill();
  await home.end();
});

async function agent(dieAt?: Parameters<typeof startAgent>[1]): Promise<AgentProcess> {
  const started = await startAgent(home.path, dieAt);
  agents.push(started);
  return started;
}

function path(...parts: string[]): string {
  return join(home.path, ...parts);
}

/** Writes to `ran` when it runs, and waits for `go`. */
function counted(exitCode = 3) {
  return sh(
    `echo up; echo ran >>${path("ran")}; while [ ! -e ${path("go")} ]; do sleep 0.02; done; echo down; exit ${exitCode}`,
  );
}

const go = () => writeFileSync(path("go"), "");
const timesRun = () =>
  existsSync(path("ran")) ? readFileSync(path("ran"), "utf8").split("\n").length - 1 : 0;
const recordOf = (attempt: string) => {
  const file = path("attempts", `${attempt}.record`);
  return existsSync(file) ? readFileSync(file, "latin1") : "";
};
const launchers = () => table.running(path("launcher-")).filter(({ pid, session }) => pid === session);

describe("an agent that is killed", () => {
  it("[J34] before its start is durable: the start was never answered, and can be given again", async () => {
    const job = counted();
    const first = await agent("written");
    first.send({ do: "start", jobs: [job] });
    await first.died();
    expect(existsSync(path("attempts", `${job.attempt}.sh`))).toBe(true);
    const next = await home.open();
    expect(next.inventory()).toEqual([]);
    expect(readdirSync(path("attempts"))).toEqual([]);
    go();
    expect(await next.start([job])).toMatchObject([{ state: "recorded" }]);
    expect(await next.exited(job.attempt)).toMatchObject({ exitCode: 3 });
    expect(timesRun()).toBe(1);
  });

  it("[J34] between record and order: it is recorded, nobody starts it unasked, and then it starts once", async () => {
    const [resumed, repeated, stopped] = [counted(), counted(), counted()];
    const first = await agent("recorded");
    first.send({ do: "start", jobs: [resumed, repeated, stopped] });
    await first.died();
    const next = await home.open();
    expect(next.inventory().map(({ state, pid, exit }) => [state, pid, exit])).toEqual(
      Array(3).fill(["recorded", null, null]),
    );
    go();
    next.stop(stopped.attempt, { reason: "cancelled", graceMs: 0 });
    expect(await next.exited(stopped.attempt)).toMatchObject({ reason: "cancelled", ranMs: null });
    expect(timesRun()).toBe(0);
    next.resume([resumed.attempt, stopped.attempt, "a_unknown"]);
    expect(await next.exited(resumed.attempt)).toMatchObject({ exitCode: 3 });
    expect(await next.start([repeated])).toMatchObject([{ state: "recorded" }]);
    expect(await next.exited(repeated.attempt)).toMatchObject({ exitCode: 3 });
    expect(timesRun()).toBe(2);
  });

  it("[J34] between order and claim: the old order and a new one start the job once between them", async () => {
    const job = counted();
    const first = await agent();
    const [old] = launchers();
    kill(old?.pid ?? 0, "SIGSTOP");
    first.send({ do: "start", jobs: [job] });
    await first.hears("answers");
    await first.kill();
    const next = await home.open();
    expect(next.inventory()).toMatchObject([{ state: "recorded" }]);
    next.resume([job.attempt]);
    await next.started(job.attempt);
    kill(old?.pid ?? 0, "SIGCONT");
    // The old launcher ends when it has read its orders and its supervisors are done.
    await eventually("end of the old launcher", () => table.startTimeOf(old?.pid ?? 0) === null);
    go();
    expect(await next.exited(job.attempt)).toMatchObject({ exitCode: 3 });
    expect(timesRun()).toBe(1);
  });

  it("[J34] between order and claim, when the old order comes first: the job is seen, and its exit code", async () => {
    const job = counted();
    const first = await agent();
    const [old] = launchers();
    kill(old?.pid ?? 0, "SIGSTOP");
    first.send({ do: "start", jobs: [job] });
    await first.hears("answers");
    await first.kill();
    const next = await home.open();
    kill(old?.pid ?? 0, "SIGCONT");
    await next.started(job.attempt);
    next.resume([job.attempt]);
    go();
    expect(await next.exited(job.attempt)).toMatchObject({ exitCode: 3, reason: "exited" });
    expect(timesRun()).toBe(1);
  });

  it("[J29] while jobs run: they run on, and the next agent has their output, exit codes and times", async () => {
    const jobs = [counted(0), counted(42)];
    const first = await agent("ordered");
    first.send({ do: "start", jobs });
    await first.died();
    await eventually("both run", () => timesRun() === 2);
    const next = await home.open();
    await eventually("both are seen", () => next.inventory().every(({ state }) => state === "running"));
    const pids = next.inventory().map(({ pid }) => pid);
    for (const pid of pids) expect(table.startTimeOf(pid ?? 0)).not.toBeNull();
    expect(await next.start(jobs)).toMatchObject([{ state: "running" }, { state: "running" }]);
    go();
    for (const [index, job] of jobs.entries()) {
      expect(await next.exited(job.attempt)).toMatchObject({
        exitCode: index === 0 ? 0 : 42,
        reason: "exited",
        logBytes: 8,
        ranMs: expect.any(Number),
      });
      expect(readFileSync(next.logPath(job.attempt), "utf8")).toBe("up\ndown\n");
    }
    expect(timesRun()).toBe(2);
  });

  it("[J29] and jobs that end while no agent lives: the next one knows how, and tells it until it is forgotten", async () => {
    const job = counted(7);
    const first = await agent();
    first.send({ do: "start", jobs: [job] });
    await first.hearsEvent("started", job.attempt);
    await first.kill();
    go();
    await eventually("the record", () => parseRecord(recordOf(job.attempt)).end);
    const second = await agent();
    await second.kill();
    const third = await home.open();
    await eventually("its exit", () => third.inventory()[0]?.exit);
    expect(third.inventory()).toMatchObject([
      { state: "exited", exit: { exitCode: 7, reason: "exited", logBytes: 8 } },
    ]);
    await third.forget([job.attempt]);
    await third.close();
    expect((await home.open()).inventory()).toEqual([]);
  });

  it("[J34] while it forgets: what was forgotten stays forgotten, with its folder", async () => {
    const job = sh("true");
    const first = await agent("forgotten");
    first.send({ do: "start", jobs: [job] });
    await first.hearsEvent("exited", job.attempt);
    first.send({ do: "forget", attempts: [job.attempt] });
    await first.died();
    expect(existsSync(path("attempts", `${job.attempt}.record`))).toBe(true);
    const next = await home.open();
    expect(next.inventory()).toEqual([]);
    expect(readdirSync(path("attempts"))).toEqual([]);
    expect(await next.start([job])).toMatchObject([{ state: "refused", refusal: { code: "conflict" } }]);
  });

  it("[J45] while a deadline runs: the next agent keeps it, counted from the job's start", async () => {
    const job = sh("sleep 600", { timeoutMs: 1500, graceMs: 60_000 });
    const first = await agent();
    first.send({ do: "start", jobs: [job] });
    await first.hearsEvent("started", job.attempt);
    await first.kill();
    const next = await home.open();
    const exited = await next.exited(job.attempt);
    expect(exited).toMatchObject({ reason: "timed_out", signal: "SIGTERM" });
    expect(exited.ranMs).toBeGreaterThanOrEqual(1480);
  });

  it("[J40] while it stops a job: the next agent goes on stopping it, for the same reason", async () => {
    const job = sh("trap '' TERM; echo up; while :; do sleep 0.02; done");
    const first = await agent();
    first.send({ do: "start", jobs: [job] });
    await first.hearsEvent("started", job.attempt);
    await eventually(
      "its trap",
      () =>
        recordOf(job.attempt) !== "" && readFileSync(path("attempts", `${job.attempt}.log`), "utf8") !== "",
    );
    first.send({ do: "stop", attempt: job.attempt, graceMs: 300 });
    await eventually("the stop is durable", () =>
      readFileSync(path("attempts.journal"), "utf8").includes('"stop"'),
    );
    await first.kill();
    const next = await home.open();
    expect(await next.exited(job.attempt)).toMatchObject({ reason: "cancelled", signal: "SIGKILL" });
  });

  it("[J34] again and again under load: every job that was accepted runs once, and its end is known", async () => {
    const jobs = Array.from({ length: 60 }, (_, index) =>
      sh(`echo $NEXUS_ATTEMPT_ID >>${path("ran")}; sleep 0.05; exit ${index}`),
    );
    const accepted = new Set<string>();
    for (let round = 0; round < 6; round += 1) {
      const one = await agent();
      one.send({ do: "start", jobs: jobs.slice(round * 10, round * 10 + 5) });
      one.send({ do: "start", jobs: jobs.slice(round * 10 + 5, round * 10 + 10) });
      // Killed at another moment each time: with nothing answered, or one batch, or jobs under way.
      if (round % 3 === 1) await one.hears("answers");
      if (round % 3 === 2) await one.hears("events");
      await one.kill();
    }
    const last = await home.open();
    for (const { attempt } of last.inventory()) accepted.add(attempt);
    for (const { said } of agents) {
      const answers = said.flatMap(({ answers }) => (Array.isArray(answers) ? answers : []));
      for (const { attempt } of answers) expect(accepted).toContain(attempt);
    }
    last.resume([...accepted]);
    await eventually("all ends", () => last.inventory().every(({ state }) => state === "exited"));
    for (const { attempt, exit } of last.inventory()) {
      expect(exit).toMatchObject({
        reason: "exited",
        exitCode: jobs.findIndex((job) => job.attempt === attempt),
      });
    }
    expect(readFileSync(path("ran"), "utf8").trim().split("\n").sort()).toEqual([...accepted].sort());
  });
});

describe("what is found on the disk", () => {
  /** An attempt that an agent accepted and that was never ordered, for its record to be written by hand. */
  async function recorded() {
    const job = counted();
    const first = await agent("recorded");
    first.send({ do: "start", jobs: [job] });
    await first.died();
    return job;
  }

  function writeRecord(attempt: string, text: string): void {
    writeFileSync(path("attempts", `${attempt}.record`), text);
  }

  it("[J25] a living process with the recorded pid and another start time is not the job", async () => {
    const job = await recorded();
    writeRecord(
      job.attempt,
      `claim ${readBootId()} ${process.pid} 1 ${process.pid} 1.00 .\nchild ${process.pid} .\n`,
    );
    const next = await home.open();
    await eventually("the verdict", () => next.inventory()[0]?.exit);
    expect(next.inventory()).toMatchObject([
      { state: "exited", exit: { reason: "vanished", exitCode: null } },
    ]);
    next.resume([job.attempt]);
    expect(await next.start([job])).toMatchObject([{ state: "exited" }]);
    expect(timesRun()).toBe(0);
  });

  it("[J34] a claim that its supervisor died over: the job has not begun, and never will", async () => {
    const job = await recorded();
    writeRecord(job.attempt, "claim 1234");
    const next = await home.open();
    await eventually("the verdict", () => next.inventory()[0]?.exit);
    expect(next.inventory()).toMatchObject([
      { exit: { reason: "start_failed", message: expect.stringMatching(/did not begin/) } },
    ]);
    expect(await next.start([job])).toMatchObject([{ state: "exited" }]);
    expect(timesRun()).toBe(0);
  });

  it("[J34] a claim that a living supervisor is about to write is waited for", async () => {
    const job = counted();
    const first = await agent();
    const [old] = launchers();
    // A second launcher's supervisor, stopped in the moment between creating the record and writing the claim.
    kill(old?.pid ?? 0, "SIGSTOP");
    first.send({ do: "start", jobs: [job] });
    await first.hears("answers");
    await first.kill();
    kill(old?.pid ?? 0, "SIGCONT");
    const whole = await eventually("the claim", () => (timesRun() === 1 ? recordOf(job.attempt) : null));
    const [supervisor] = table.running(path("launcher-")).filter(({ pid, session }) => pid !== session);
    kill(supervisor?.pid ?? 0, "SIGSTOP");
    writeRecord(job.attempt, "claim 12");
    const next = await home.open();
    expect(next.inventory()).toMatchObject([{ state: "recorded" }]);
    writeRecord(job.attempt, whole);
    await next.started(job.attempt);
    kill(supervisor?.pid ?? 0, "SIGCONT");
    go();
    await next.exited(job.attempt);
    expect(timesRun()).toBe(1);
  });

  it("[J34] so is one that a supervisor has yet to write after its first", async () => {
    const [one, two] = [counted(), counted()];
    const first = await agent();
    first.send({ do: "start", jobs: [one, two] });
    await first.hears("answers");
    await eventually("both run", () => timesRun() === 2);
    await first.kill();
    const whole = recordOf(two.attempt);
    // Both of one supervisor where the shell allows it: stopped as if between the two.
    const supervisors = table.running(path("launcher-")).filter(({ pid, session }) => pid !== session);
    for (const { pid } of supervisors) kill(pid, "SIGSTOP");
    writeRecord(two.attempt, "claim 12");
    const next = await home.open();
    const states = new Map(next.inventory().map(({ attempt, state }) => [attempt, state]));
    expect([states.get(one.attempt), states.get(two.attempt)]).toEqual(["running", "recorded"]);
    writeRecord(two.attempt, whole);
    await next.started(two.attempt);
    for (const { pid } of supervisors) kill(pid, "SIGCONT");
    go();
    await next.exited(two.attempt);
    await next.exited(one.attempt);
    expect(timesRun()).toBe(2);
  });

  it("[J36] after a reboot nothing of before runs: what has no exit has vanished, what has one keeps it", async () => {
    const [none, claimed, ended] = [await recorded(), await recorded(), await recorded()];
    writeRecord(claimed.attempt, "claim boot-0 1 2 3 4.00 .\nchild 5 .\n");
    writeRecord(ended.attempt, "claim boot-0 1 2 3 4.00 .\nchild 5 .\nexit 9 6.50 .\n");
    const next = await home.open({ bootId: "boot-1" });
    await eventually("all verdicts", () => next.inventory().every(({ exit }) => exit !== null));
    const exits = new Map(next.inventory().map(({ attempt, exit }) => [attempt, exit]));
    for (const { attempt } of [none, claimed]) {
      expect(exits.get(attempt)).toMatchObject({
        reason: "vanished",
        message: "The machine was restarted while the job ran.",
      });
    }
    expect(exits.get(ended.attempt)).toMatchObject({ reason: "exited", exitCode: 9, ranMs: 2500 });
    await next.close();
    const later = await home.open({ bootId: "boot-2" });
    await eventually("the same verdicts", () => later.inventory().every(({ exit }) => exit !== null));
    expect(later.inventory().map(({ attempt, exit }) => [attempt, exit?.reason])).toEqual([
      [none.attempt, "vanished"],
      [claimed.attempt, "vanished"],
      [ended.attempt, "exited"],
    ]);
  });

  it("[J36] files that somebody removed: the job's processes count, and without them it has vanished", async () => {
    const job = counted();
    const first = await agent();
    first.send({ do: "start", jobs: [job] });
    await eventually("it runs", () => timesRun() === 1);
    await first.kill();
    for (const name of readdirSync(path("attempts"))) rmSync(path("attempts", name));
    const next = await home.open();
    expect(next.inventory()).toMatchObject([{ state: "running" }]);
    go();
    expect(await next.exited(job.attempt)).toMatchObject({ reason: "vanished", exitCode: null });
  });
});
