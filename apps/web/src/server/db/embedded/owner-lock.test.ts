import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { takeOwnerLock } from "./owner-lock.ts";

let dir: string;
let path: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "nexus-lock-"));
  path = join(dir, "owner.lock");
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

test("[O7] a second owner is told which process holds the home and since when", async () => {
  const lock = await takeOwnerLock(path, "the first");
  const since = new Date(lock.holder.sinceMs).toISOString();
  await expect(takeOwnerLock(path, "the second")).rejects.toThrow(
    `in use by the first, process ${process.pid}, since ${since}`,
  );
  lock.release();
});

test("[O7] a released home can be taken again, and no one but its user can open the lock", async () => {
  const first = await takeOwnerLock(path, "the first");
  first.release();
  const second = await takeOwnerLock(path, "the second");
  first.release();
  await expect(takeOwnerLock(path, "the third")).rejects.toThrow("in use by the second");
  expect(statSync(path).mode & 0o777).toBe(0o600);
  second.release();
  expect(readdirSync(dir)).toEqual(["owner.lock"]);
});

test("[O7] the lock of a process that was killed is free at once, whoever has its number now", async () => {
  const child = spawn(process.execPath, [
    "--disable-warning=ExperimentalWarning",
    "--input-type=module",
    "-e",
    `import { takeOwnerLock } from ${JSON.stringify(join(import.meta.dirname, "owner-lock.ts"))};
     await takeOwnerLock(${JSON.stringify(path)}, "the killed one");
     console.log("held"); setInterval(() => {}, 1000);`,
  ]);
  await once(child.stdout, "data");
  await expect(takeOwnerLock(path, "another")).rejects.toThrow(
    `in use by the killed one, process ${child.pid}`,
  );
  child.kill("SIGKILL");
  await once(child, "exit");
  writeFileSync(`${path}.json`, JSON.stringify({ pid: process.pid, sinceMs: 0, what: "a stale name" }));
  const lock = await takeOwnerLock(path, "the next");
  lock.release();
});
