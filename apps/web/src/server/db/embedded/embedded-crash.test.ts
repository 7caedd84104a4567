import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { findServerProcesses } from "./server-process.ts";
import { ask, type Fixture, type LaunchAnswer, openFixture, until } from "./testing/embedded-fixture.ts";

let fixture: Fixture;
const others: ChildProcess[] = [];

beforeAll(async () => {
  fixture = await openFixture();
});
afterAll(() => {
  for (const child of others) child.kill("SIGKILL");
  fixture.close();
});

test("[O8] when only its owner is killed, Postgres stops cleanly and the next start has every row", async () => {
  const { home, launched, server } = await startWithRows();
  launched.child.kill("SIGKILL");
  await until(() => !existsSync(`/proc/${server.serverPid}/cwd`));
  expect(readFileSync(join(home, "postgres", "postgres.log"), "utf8")).toContain(
    "database system is shut down",
  );
  await expectRows(home);
});

test("[O8] a start right after the owner was killed waits for the old server to end", async () => {
  const { home, launched } = await startWithRows();
  launched.child.kill("SIGKILL");
  await expectRows(home);
});

test("[O9] a server that outlived its owner is taken over as it is", async () => {
  const { home, launched, server } = await startWithRows({ isTied: false });
  launched.child.kill("SIGKILL");
  await once(launched.child, "exit");
  const next = fixture.launch({ home, runtimeRoot: fixture.runtimeRoot });
  const answer = started(await next.answer);
  expect(answer.serverPid).toBe(server.serverPid);
  expect(answer.log).toEqual([`taking over the running Postgres (process ${server.serverPid})`]);
  await next.stop();
  expect(existsSync(`/proc/${server.serverPid}/cwd`)).toBe(false);
});

test("[O9] a server that was started with other settings is stopped and started anew", async () => {
  const { home, launched, server } = await startWithRows({ isTied: false, isDurable: false });
  launched.child.kill("SIGKILL");
  const answer = await expectRows(home);
  expect(answer.serverPid).not.toBe(server.serverPid);
});

test("[O10] when owner and every server process are killed, the next start recovers every row", async () => {
  const { home, launched } = await startWithRows();
  const all = findServerProcesses(join(home, "postgres", "data"));
  expect(all.length).toBeGreaterThan(3);
  for (const pid of [launched.child.pid ?? 0, ...all]) kill(pid);
  await expectRows(home);
});

test("[O10] a backend that outlived its postmaster is ended before the next start", async () => {
  const { home, launched, server } = await startWithRows();
  const all = findServerProcesses(join(home, "postgres", "data"));
  const stuck = all.find((pid) => pid !== server.serverPid) ?? 0;
  process.kill(stuck, "SIGSTOP");
  process.kill(server.serverPid, "SIGKILL");
  launched.child.kill("SIGKILL");
  await expectRows(home);
  expect(findServerProcesses(join(home, "postgres", "data"))).not.toContain(stuck);
});

test("[O10] a number left by a crash that now belongs to another process does not stop a start", async () => {
  const uid = process.getuid?.() === 0 ? 65534 : undefined;
  const home = fixture.makeHome(uid);
  const options = { home, isDurable: false, ...(uid === undefined ? {} : { asUid: uid }) };
  const first = fixture.launch(options);
  started(await first.answer);
  await first.stop();
  // Of the same user, so that Postgres by itself would refuse.
  const stranger = spawn("sleep", ["600"], uid === undefined ? {} : { uid, gid: uid });
  others.push(stranger);
  const file = join(home, "postgres", "data", "postmaster.pid");
  writeFileSync(file, `${stranger.pid}\n${home}/postgres/data\n1\n5432\n../run\n\n  1 1\nready   \n`, {
    mode: 0o644,
  });
  const second = fixture.launch(options);
  started(await second.answer);
  await second.stop();
});

test("[O11] of two starts on one new home exactly one wins and the other names the winner", async () => {
  const home = fixture.makeHome();
  const racers = [1, 2].map(() =>
    fixture.launch({ home, runtimeRoot: fixture.runtimeRoot, isDurable: false }),
  );
  const answers = await Promise.all(racers.map((racer) => racer.answer));
  const won = answers.findIndex((answer) => answer.ok);
  const lost = answers[1 - won];
  expect(lost?.ok === false && lost.message).toContain(`process ${racers[won]?.child.pid}, since 20`);
  expect(answers.filter((answer) => answer.ok)).toHaveLength(1);
  await racers[won]?.stop();
});

test.each(["while its server runs on", "with its server"])(
  "[O12] a first start that is killed %s leaves nothing that stops the next",
  async (how) => {
    const home = fixture.makeHome();
    const root = join(home, "postgres");
    const torn = fixture.launch({ home, runtimeRoot: fixture.runtimeRoot });
    const half = () => (existsSync(root) ? readdirSync(root).filter((name) => name.startsWith("init-")) : []);
    await until(() => half().some((name) => existsSync(join(root, name, "base"))));
    torn.child.kill("SIGKILL");
    if (how === "with its server")
      for (const name of half()) for (const pid of findServerProcesses(join(root, name))) kill(pid);
    await startAndStop(home);
    await until(() => half().every((name) => findServerProcesses(join(root, name)).length === 0));
    await startAndStop(home);
    expect(half()).toEqual([]);
  },
);

test("[O12] a start that is killed while it copies the binaries leaves nothing behind for good", async () => {
  const runtimeRoot = `${fixture.runtimeRoot}-torn`;
  const names = () => (existsSync(runtimeRoot) ? readdirSync(runtimeRoot) : []);
  const torn = fixture.launch({ home: fixture.makeHome(), runtimeRoot });
  await until(() => names().length > 0);
  torn.child.kill("SIGKILL");
  await once(torn.child, "exit");
  const whole = fixture.launch({ home: fixture.makeHome(), runtimeRoot, isDurable: false });
  started(await whole.answer);
  expect(names()).toEqual([expect.stringMatching(/^18[^/]*-(linux|darwin)-(x64|arm64)$/)]);
  await whole.stop();
});

test("[O13] data of another major version is refused and left as it is", async () => {
  const { home, launched } = await startWithRows();
  await launched.stop();
  const version = join(home, "postgres", "data", "PG_VERSION");
  writeFileSync(version, "17\n");
  expect(await refusal(home)).toContain("was written by Postgres 17, and this release brings Postgres 18");
  writeFileSync(version, "18\n");
  await expectRows(home);
});

test("[O13] a data folder that is not one of Postgres is refused and left as it is", async () => {
  const home = fixture.makeHome();
  const data = join(home, "postgres", "data");
  mkdirSync(data, { recursive: true });
  if (process.getuid?.() === 0) (await import("node:fs")).chownSync(data, 65534, 65534);
  writeFileSync(join(data, "thesis.txt"), "the only copy");
  expect(await refusal(home)).toContain("is not a Postgres data folder");
  expect(readdirSync(data)).toEqual(["thesis.txt"]);
});

test("[O14] a link planted among the data does not make root write elsewhere", async () => {
  const home = fixture.makeHome();
  await startAndStop(home);
  const victim = join(home, "victim");
  writeFileSync(victim, "kept");
  const planted = join(home, "postgres", "data", "pg_ident.conf");
  rmSync(planted);
  symlinkSync(victim, planted);
  expect(await refusal(home)).toContain("ELOOP");
  expect(readFileSync(victim, "utf8")).toBe("kept");
});

/** One death brings others about: what is gone already is as wanted. */
function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (cause) {
    if (!(cause instanceof Error && "code" in cause && cause.code === "ESRCH")) throw cause;
  }
}

async function startWithRows(options: { isTied?: boolean; isDurable?: boolean } = {}) {
  const home = fixture.makeHome();
  const launched = fixture.launch({ home, runtimeRoot: fixture.runtimeRoot, ...options });
  const server = started(await launched.answer);
  await ask(server.socketDir, "create table kept as select generate_series(1, 5000) as n");
  return { home, launched, server };
}

async function expectRows(home: string) {
  const launched = fixture.launch({ home, runtimeRoot: fixture.runtimeRoot });
  const server = started(await launched.answer);
  expect(await ask(server.socketDir, "select count(*)::int as n from kept")).toEqual([{ n: 5000 }]);
  await launched.stop();
  return server;
}

async function startAndStop(home: string): Promise<void> {
  const launched = fixture.launch({ home, runtimeRoot: fixture.runtimeRoot, isDurable: false });
  started(await launched.answer);
  await launched.stop();
}

async function refusal(home: string): Promise<string> {
  const answer = await fixture.launch({ home, runtimeRoot: fixture.runtimeRoot }).answer;
  return answer.ok ? "it started" : answer.message;
}

function started(answer: LaunchAnswer): Extract<LaunchAnswer, { ok: true }> {
  if (!answer.ok) throw new Error(answer.message);
  return answer;
}
