import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
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
  await vi.waitFor(() => expect(said[1]).toBe(`The control plane's disk (${home}) has room again.`));
  await watch.stop();
  expect(said).toHaveLength(2);
});
