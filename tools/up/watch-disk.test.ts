import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { watchDisk } from "./watch-disk.ts";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "nexus-disk-"));
});
afterEach(() => rmSync(dir, { recursive: true }));

test("[O63] a home without room is told once, and once when it has room again", async () => {
  const home = join(dir, "home");
  const said: string[] = [];
  // A file system that has no room, ever.
  symlinkSync("/proc", home);
  const watch = watchDisk(home, (text) => said.push(text), 5);
  expect(said).toEqual([`The control plane's disk (${home}) is full; free space there.`]);
  mkdirSync(join(dir, "roomy"));
  symlinkSync(join(dir, "roomy"), join(dir, "next"));
  renameSync(join(dir, "next"), home);
  await expect.poll(() => said[1]).toBe(`The control plane's disk (${home}) has room again.`);
  await watch.stop();
  expect(said).toHaveLength(2);
});

const mayMount = process.platform === "linux" && process.getuid?.() === 0;

// tidy-allow skip: only root may mount the small disk that is filled here; CI runs as root
test.skipIf(!mayMount)("[O63] a home whose disk gets low is told before it is full, once", async () => {
  const home = join(dir, "home");
  const run = (command: string, ...args: string[]) => expect(spawnSync(command, args).status).toBe(0);
  mkdirSync(home);
  run("mount", "-t", "tmpfs", "-o", "size=700m", "nexus-test", home);
  const said: string[] = [];
  const watch = watchDisk(home, (text) => said.push(text), 5);
  try {
    expect(said).toEqual([]);
    run("fallocate", "-l", "400M", join(home, "filler"));
    await expect.poll(() => said).toHaveLength(1);
    expect(said[0]).toBe(
      `The control plane's disk (${home}) is low: 300 MiB free. Free space there before it is full.`,
    );
    rmSync(join(home, "filler"));
    run("fallocate", "-l", "700M", join(home, "filler"));
    await expect.poll(() => said.at(-1)).toMatch(/ is full; free space there\.$/);
  } finally {
    await watch.stop();
    run("umount", "-l", home);
  }
});
