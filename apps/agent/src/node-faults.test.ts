import { execFileSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readdirSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { NodeFault } from "@nexus/shared/protocol/messages";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { eventually } from "./exec/testing/eventually.ts";
import { createNodeFaults, type NodeFaults } from "./node-faults.ts";

const PACES = { lookMsMin: 10, lookMsMax: 40, watchMs: 10, idleWatchMs: 10 };
const mayMount = process.platform === "linux" && process.getuid?.() === 0;

let home: string;
let told: NodeFault[][];
let full: boolean[];
let faults: NodeFaults;

function begin(): NodeFaults {
  told = [];
  full = [];
  faults = createNodeFaults({
    home,
    hasJobs: () => true,
    onChange: (present) => told.push(present),
    onDiskFull: (isFull) => full.push(isFull),
    paces: PACES,
  });
  faults.start();
  return faults;
}

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "nexus-faults-"));
});
afterEach(() => {
  faults.close();
  rmSync(home, { recursive: true, force: true });
});

it("[P47] a fault that is already over is told, and told as over by the next look", async () => {
  begin();
  const met = faults.meet("disk_full", "it was full");
  expect(met).toEqual({ code: "disk_full", message: "it was full" });
  expect(told).toEqual([[met]]);
  await eventually("the end of it", () => told.length === 2);
  expect(told[1]).toEqual([]);
  expect(full).toEqual([true, false]);
  expect(readdirSync(home)).toEqual([]);
});

it("[P47] a launcher that is down is a fault until one is up", () => {
  begin();
  faults.setLauncher("it ended");
  faults.setLauncher("it ended again");
  expect(told).toEqual([[{ code: "launcher_down", message: expect.stringContaining("it ended") }]]);
  faults.setLauncher(null);
  expect(told).toEqual([expect.anything(), []]);
});

// tidy-allow skip: only root may mount the small disk that is filled here; CI runs as root
describe.skipIf(!mayMount)("on a small disk", () => {
  beforeEach(() => {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=1m", "nexus-test", home]);
  });
  afterEach(() => {
    faults.close();
    execFileSync("umount", ["-l", home]);
  });

  it("[P47] a disk that fills up is found without a start, and its end as well", async () => {
    begin();
    fill();
    await eventually("the fault", () => told.length === 1);
    expect(told[0]).toEqual([
      { code: "disk_full", message: `its disk is full (0 MiB free at ${home}); free space there` },
    ]);
    expect(faults.meet("disk_full", "a start met it")).toEqual(told[0]?.[0]);
    expect(faults.list()).toEqual(told[0]);
    rmSync(join(home, "filler"));
    await eventually("the end of it", () => told.length === 2);
    expect(told[1]).toEqual([]);
    expect(full).toEqual([true, false]);
  });

  it("[P47] a home that became read-only is told in words of its own", async () => {
    begin();
    execFileSync("mount", ["-o", "remount,ro", home]);
    expect(faults.meet("home_unwritable", "?")).toEqual({
      code: "home_unwritable",
      message: `its home ${home} cannot be written (its disk is mounted read-only); make it writable again`,
    });
    execFileSync("mount", ["-o", "remount,rw", home]);
    await eventually("the end of it", () => told.length === 2);
    expect(full).toEqual([]);
  });

  function fill(): void {
    const fd = openSync(join(home, "filler"), "w");
    try {
      for (;;) writeSync(fd, Buffer.alloc(4096));
    } catch (error) {
      expect(error).toMatchObject({ code: "ENOSPC" });
    } finally {
      closeSync(fd);
    }
  }
});
