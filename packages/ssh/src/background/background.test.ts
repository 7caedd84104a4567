import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { runRemote } from "../exec/run-remote.ts";
import { findProgram } from "../testing/find-program.ts";
import { METACHARACTERS } from "../testing/metacharacters.ts";
import { connectTo } from "../testing/test-session.ts";
import { startTestSshd, type TestSshd } from "../testing/test-sshd.ts";
import {
  askBackgroundToStop,
  type BackgroundState,
  backgroundMark,
  forgetBackground,
  listBackground,
  newBackgroundId,
  readBackground,
  readBackgroundLog,
  startBackground,
  stopBackground,
} from "./background-run.ts";
import { readTreeMemory, sumTree } from "./process-memory.ts";
import { SUPERVISOR_SCRIPT } from "./supervisor-script.ts";

let server: TestSshd;
beforeAll(async () => {
  server = await startTestSshd();
});
afterAll(() => server.close());

async function untilExit(id: string): Promise<BackgroundState> {
  const session = await connectTo(server);
  for (;;) {
    const state = await readBackground(session, id);
    if (state.state !== "running" && state.state !== "starting") return state;
  }
}

const file = (name: string) => join(server.folder, name);
const waitFor = (path: string) => `while [ ! -e ${path} ]; do sleep 0.02; done`;

test("[H32] a run outlives its connection; its exit code and the end of its log are there afterwards", async () => {
  const session = await connectTo(server);
  const id = newBackgroundId();
  const argv = ["sh", "-c", `echo begin; ${waitFor(file("go"))}; echo end; exit 42`];
  expect(await startBackground(session, { id, argv })).toMatchObject({ state: "running" });
  server.cutAll();
  await session.ended;
  const later = await connectTo(server);
  expect(await readBackground(later, id)).toMatchObject({ state: "running", logBytes: 6 });
  await runRemote(later, { argv: ["touch", file("go")] });
  expect(await untilExit(id)).toEqual({
    state: "exited",
    logBytes: 10,
    exit: { code: 42, signalNumber: null },
    stopReason: null,
  });
  expect(String(await readBackgroundLog(later, { id, offset: 0, bytesMax: 100 }))).toBe("begin\nend\n");
  expect(String(await readBackgroundLog(later, { id, offset: 6, bytesMax: 2 }))).toBe("en");
  expect(await readBackgroundLog(later, { id, offset: 10, bytesMax: 100 })).toHaveLength(0);
});

test("[H32] a program that arrived in part is not started", async () => {
  const session = await connectTo(server);
  const id = newBackgroundId();
  const argv = ["sh", "-c", SUPERVISOR_SCRIPT, "nexus", "start", id, SUPERVISOR_SCRIPT];
  const { code, stderr } = await runRemote(session, { argv }, { stdin: "exec 'rm' '-rf'" });
  expect([code, String(stderr)]).toEqual([1, "the program did not arrive whole\n"]);
  expect(await readBackground(session, id)).toEqual({ state: "absent" });
});

test("[H32] a repeated start starts nothing and answers with the state", async () => {
  const session = await connectTo(server);
  const id = newBackgroundId();
  const argv = ["sh", "-c", `echo x >>${file("count")}; ${waitFor(file("count-done"))}`];
  const states = await Promise.all([1, 2, 3].map(() => startBackground(session, { id, argv })));
  expect(states.every(({ state }) => state === "running" || state === "starting")).toBe(true);
  await runRemote(session, { argv: ["touch", file("count-done")] });
  await untilExit(id);
  expect(await startBackground(session, { id, argv })).toMatchObject({ state: "exited" });
  expect(readFileSync(file("count"), "utf8")).toBe("x\n");
});

test.each(["wc", "cat"])(
  "[H32] a run that ends while it is looked at, after %s, is told as it was or as it ended",
  async (name) => {
    const session = await connectTo(server);
    const id = newBackgroundId();
    const gate = file(`end-${name}`);
    await startBackground(session, { id, argv: ["sh", "-c", `echo begin; ${waitFor(gate)}; echo end`] });
    const record = join(server.home, ".nexus/ssh-runs", id, "record");
    const folder = file(`slow-${name}`);
    mkdirSync(folder);
    // Between the answer of one look and the next, the run writes its last line and ends.
    const slow = [
      "#!/bin/sh",
      `said=$(${findProgram([name])} "$@")`,
      `touch ${gate}`,
      `until grep -q '^exit' ${record} && ! kill -0 "$(sed -n 's/^claim [^ ]* \\([0-9]*\\) .*/\\1/p' ${record})"; do sleep 0.01; done 2>/dev/null`,
      `printf '%s\\n' "$said"`,
    ];
    writeFileSync(join(folder, name), slow.join("\n"), { mode: 0o755 });
    const script = `PATH=${folder}:$PATH; ${SUPERVISOR_SCRIPT}`;
    const { stdout } = await runRemote(session, { argv: ["sh", "-c", script, "nexus", "state", id] });
    expect(String(stdout)).toMatch(/^(running|exited 10 0$)/m);
    expect(await untilExit(id)).toMatchObject({ state: "exited", logBytes: 10 });
  },
);

test("[H32] a stopped run's whole tree is gone, and how it ended is recorded", async () => {
  const session = await connectTo(server);
  const id = newBackgroundId();
  const argv = ["sh", "-c", "setsid sleep 600 & sleep 600 & wait"];
  await startBackground(session, { id, argv });
  const report = await stopBackground(session, id, 2000);
  expect(report.seenPids.length).toBeGreaterThanOrEqual(1);
  expect(report.leftPids).toEqual([]);
  expect(await untilExit(id)).toMatchObject({ state: "exited", exit: { code: null, signalNumber: 15 } });
});

test("[H32] who is asked to end is told by the reason, also to whoever comes later; what was over before is not", async () => {
  const session = await connectTo(server);
  const [busy, done] = [newBackgroundId(), newBackgroundId()];
  await startBackground(session, { id: busy, argv: ["sleep", "600"] });
  await startBackground(session, { id: done, argv: ["true"] });
  await untilExit(done);
  for (const id of [busy, done]) await askBackgroundToStop(session, id, "timed_out");
  await askBackgroundToStop(session, busy, "cancelled");
  expect(await untilExit(busy)).toMatchObject({ exit: { signalNumber: 15 }, stopReason: "timed_out" });
  expect(await readBackground(await connectTo(server), done)).toMatchObject({ stopReason: null });
  await expect(askBackgroundToStop(session, busy, "a b")).rejects.toMatchObject({
    failure: "config_invalid",
  });
});

test("[H32] a run whose supervisor was killed is lost, not running and not failed", async () => {
  const session = await connectTo(server);
  const id = newBackgroundId();
  const state = await startBackground(session, { id, argv: ["sleep", "600"] });
  const pid = state.state === "running" ? state.supervisorPid : 0;
  process.kill(pid, "SIGKILL");
  expect(await untilExit(id)).toMatchObject({ state: "lost" });
  await stopBackground(session, id, 500);
});

test("[H32] a program that cannot be run has an exit code and says so in its log", async () => {
  const session = await connectTo(server);
  const id = newBackgroundId();
  await startBackground(session, { id, argv: ["no-such-program"] });
  expect(await untilExit(id)).toMatchObject({ state: "exited", exit: { code: 127 } });
  expect(String(await readBackgroundLog(session, { id, offset: 0, bytesMax: 500 }))).toMatch(
    /no-such-program/,
  );
});

test("[H32] runs are listed, a finished one is forgotten, a running one is not", async () => {
  const session = await connectTo(server);
  const [done, busy] = [newBackgroundId(), newBackgroundId()];
  await startBackground(session, { id: done, argv: ["true"] });
  await startBackground(session, { id: busy, argv: ["sleep", "600"] });
  await untilExit(done);
  const runs = await listBackground(session);
  expect([runs.get(done)?.state, runs.get(busy)?.state]).toEqual(["exited", "running"]);
  await expect(forgetBackground(session, busy)).rejects.toThrow(/still runs/);
  await forgetBackground(session, done);
  expect(await readBackground(session, done)).toEqual({ state: "absent" });
  await expect(readBackgroundLog(session, { id: done, offset: 0, bytesMax: 1 })).rejects.toThrow(/no run/);
  await stopBackground(session, busy, 1000);
});

test("[H13] words, folders and variables of a run arrive as they are; other ids are refused", async () => {
  const session = await connectTo(server);
  for (const nasty of METACHARACTERS) {
    const id = newBackgroundId();
    const argv = ["printf", "%s\\n", nasty];
    await startBackground(session, { id, argv, env: { NASTY: nasty } });
    await untilExit(id);
    expect(String(await readBackgroundLog(session, { id, offset: 0, bytesMax: 1000 }))).toBe(`${nasty}\n`);
    await expect(startBackground(session, { id: nasty, argv })).rejects.toMatchObject({
      failure: "config_invalid",
    });
  }
  expect(existsSync(join(server.home, "pwned"))).toBe(false);
});

test("[H33] memory is that of the whole tree, also of those that left it", async () => {
  const session = await connectTo(server);
  const id = newBackgroundId();
  const hold = (mib: number) =>
    `a=$(head -c ${mib * 1048576} /dev/zero | tr '\\0' x); echo >${file("held")}.${mib}; sleep 600; : "$a"`;
  const argv = ["sh", "-c", `setsid sh -c '${hold(20).replaceAll("'", "'\\''")}' & ${hold(30)}`];
  const state = await startBackground(session, { id, argv });
  await expect
    .poll(() => existsSync(`${file("held")}.20`) && existsSync(`${file("held")}.30`), { timeout: 15_000 })
    .toBe(true);
  const memory = await readTreeMemory(session, { mark: backgroundMark(id) });
  expect(memory.rssKib).toBeGreaterThan(50 * 1024);
  expect(memory.pssKib).toBeGreaterThan(50 * 1024);
  const supervisor = state.state === "running" ? state.supervisorPid : 0;
  const whole = await readTreeMemory(session, { pid: supervisor });
  expect(whole.processes.map((one) => one.pid)).toContain(supervisor);
  await stopBackground(session, id, 1000);
});

test("[H33] descendants are found through any number of parents, and a share that is not told makes the sum unknown", () => {
  const table = "p 1 0 10 init\np 5 1 100 sh\np 6 5 200 a b\np 7 6 300 c\np 8 1 400 d\ns 5 50\ns 6 60\nm 8";
  const memory = sumTree(table, { pid: 5, mark: "x" });
  expect(memory.rssKib).toBe(1000);
  expect(memory.pssKib).toBeUndefined();
  expect(memory.processes.map((one) => [one.pid, one.command])).toEqual([
    [8, "d"],
    [7, "c"],
    [6, "a b"],
    [5, "sh"],
  ]);
  expect(sumTree(table, { pid: 6 }).pssKib).toBeUndefined();
  expect(sumTree("p 6 1 200 a\ns 6 60", { pid: 6 }).pssKib).toBe(60);
});
