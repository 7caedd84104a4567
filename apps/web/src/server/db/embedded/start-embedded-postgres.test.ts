import { existsSync, lstatSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ask, type Fixture, type LaunchAnswer, openFixture } from "./testing/embedded-fixture.ts";

let fixture: Fixture;
// What root lends and what others may not do can only be seen as root; a normal user has nothing to run here.
const isRoot = process.getuid?.() === 0;
const NOBODY_UID = 65534;

beforeAll(async () => {
  fixture = await openFixture();
});
afterAll(() => fixture.close());

test("[O1] Postgres starts from the npm package with install scripts blocked, and starts again on its data", async () => {
  const home = fixture.makeHome();
  const first = fixture.launch({ home, runtimeRoot: fixture.runtimeRoot });
  const { socketDir } = started(await first.answer);
  await ask(socketDir, "create table kept as select 7 as n");
  await first.stop();
  const second = fixture.launch({ home, runtimeRoot: fixture.runtimeRoot });
  started(await second.answer);
  expect(await ask(socketDir, "select n from kept")).toEqual([{ n: 7 }]);
  await second.stop();
});

test("[O2] the first start names each step that takes time, a later one says nothing", async () => {
  const home = fixture.makeHome();
  const runtimeRoot = `${fixture.runtimeRoot}-of-first-start`;
  const first = fixture.launch({ home, runtimeRoot, isDurable: false });
  expect((await first.answer).log).toEqual([
    expect.stringMatching(/^copying Postgres 18/),
    "creating the database",
  ]);
  await first.stop();
  const second = fixture.launch({ home, runtimeRoot, isDurable: false });
  expect((await second.answer).log).toEqual([]);
  await second.stop();
});

if (isRoot)
  test("[O3] started by root, Postgres runs as a user without rights on data in a home that only root may enter", async () => {
    const home = fixture.makeHome();
    const server = fixture.launch({ home, runtimeRoot: fixture.runtimeRoot, isDurable: false });
    const { serverPid, socketDir } = started(await server.answer);
    expect(statSync(home).mode & 0o777).toBe(0o700);
    expect(statSync(`/proc/${serverPid}`).uid).not.toBe(0);
    expect(statSync(join(home, "postgres", "data")).uid).toBe(statSync(`/proc/${serverPid}`).uid);
    await ask(socketDir, "create table wide as select g from generate_series(1, 200000) g; analyze wide");
    await server.stop();
  });

if (isRoot)
  test("[O4] started by a normal user, Postgres and its binaries are that user's", async () => {
    const home = fixture.makeHome(NOBODY_UID);
    const server = fixture.launch({ home, isDurable: false, asUid: NOBODY_UID });
    const { serverPid } = started(await server.answer);
    expect(statSync(`/proc/${serverPid}`).uid).toBe(NOBODY_UID);
    expect(readdirSync(join(home, "postgres")).sort()).toEqual(
      ["data", "owner.lock", "owner.lock.json", "postgres.log", "run", "runtime"].sort(),
    );
    await server.stop();
  });

test("[O5] Postgres listens on a socket in a folder that only its user can enter, and on no port", async () => {
  const server = fixture.launch({
    home: fixture.makeHome(),
    runtimeRoot: fixture.runtimeRoot,
    isDurable: false,
  });
  const { socketDir } = started(await server.answer);
  expect(statSync(socketDir).mode & 0o777).toBe(0o700);
  expect(await ask(socketDir, "show listen_addresses")).toEqual([{ listen_addresses: "" }]);
  await server.stop();
});

test("[O5] a home too deep for a socket address gets a short folder, private as well", async () => {
  const home = join(fixture.makeHome(), "deep".repeat(20), "deeper".repeat(10));
  const server = fixture.launch({ home, runtimeRoot: fixture.runtimeRoot, isDurable: false });
  const { socketDir } = started(await server.answer);
  expect(Buffer.byteLength(socketDir)).toBeLessThan(90);
  expect(lstatSync(socketDir).mode & 0o777).toBe(0o700);
  expect(await ask(socketDir, "select 1 as n")).toEqual([{ n: 1 }]);
  await server.stop();
  expect(existsSync(socketDir)).toBe(false);
});

test("[O6] what is committed is on the disk, and text sorts the same on every machine", async () => {
  const server = fixture.launch({ home: fixture.makeHome(), runtimeRoot: fixture.runtimeRoot });
  const { socketDir } = started(await server.answer);
  const settings = await ask(
    socketDir,
    `select current_setting('fsync') fsync, current_setting('synchronous_commit') commit,
            current_setting('full_page_writes') pages, datlocprovider provider, datlocale locale
       from pg_database where datname = 'nexus'`,
  );
  expect(settings).toEqual([{ fsync: "on", commit: "on", pages: "on", provider: "b", locale: "C.UTF-8" }]);
  await server.stop();
});

function started(answer: LaunchAnswer): Extract<LaunchAnswer, { ok: true }> {
  if (!answer.ok) throw new Error(answer.message);
  return answer;
}
