import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openProcessTable } from "./process-table.ts";
import { parsePsLine } from "./process-table-ps.ts";
import { eventually } from "./testing/eventually.ts";

let folder: string;
let children: ChildProcess[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "nexus-table-"));
  children = [];
});
afterEach(() => {
  for (const child of children) child.kill("SIGKILL");
  rmSync(folder, { recursive: true });
});

async function start(file: string, env: Record<string, string>): Promise<number> {
  const child = spawn(file, ["600"], { env, stdio: "ignore", detached: true });
  children.push(child);
  await once(child, "spawn");
  return child.pid ?? 0;
}

describe.each(["proc", "ps"] as const)("through %s", (kind) => {
  const table = openProcessTable(kind);

  it("[J25] a process has one start time as long as it lives, and none after", async () => {
    const pid = await start("/bin/sleep", {});
    const startTime = table.startTimeOf(pid);
    expect(startTime).toMatch(kind === "proc" ? /^\d+$/ : /^\w+_\w+_\d+_[\d:]+_\d+$/);
    expect(table.startTimeOf(pid)).toBe(startTime);
    expect(table.scan(null).find((row) => row.pid === pid)).toMatchObject({
      startTime,
      group: pid,
      attempt: null,
    });
    children[0]?.kill("SIGKILL");
    await eventually("its end", () => table.startTimeOf(pid) === null);
  });

  it("[J40] processes are found by the marker in their environment, whatever they are called", async () => {
    const odd = join(folder, "x) Z 1 (y");
    copyFileSync("/bin/sleep", odd);
    const env = { A: "NEXUS_ATTEMPT_ID=a_wrong", NEXUS_ATTEMPT_ID: "a_right", Z: "1" };
    const pid = await start(odd, kind === "proc" ? env : { NEXUS_ATTEMPT_ID: "a_right" });
    const row = await eventually("the marker", () =>
      table.scan(null).find((row) => row.pid === pid && row.attempt !== null),
    );
    expect(row).toMatchObject({ attempt: "a_right", group: pid });
    expect(table.commandOf(pid)).toContain("600");
    expect(table.running(folder).map((one) => one.pid)).toEqual([pid]);
  });
});

it("[J40] only processes that are young enough are asked for their marker", async () => {
  const table = openProcessTable("proc");
  const pid = await start("/bin/sleep", { NEXUS_ATTEMPT_ID: "a_old" });
  const row = await eventually("it", () => table.scan(null).find((one) => one.pid === pid && one.attempt));
  const later = String(Number(row.startTime) + 1);
  expect(table.scan(row.startTime).find((one) => one.pid === pid)?.attempt).toBe("a_old");
  expect(table.scan(later).find((one) => one.pid === pid)?.attempt).toBeNull();
});

it("[J25] lines of macOS's ps are read; a zombie is gone", () => {
  const line =
    "  501   497   498 S    Fri Nov 20 17:05:29 2026     /bin/sh -c x HOME=/Users/u NEXUS_ATTEMPT_ID=a_1 TERM=dumb";
  expect(parsePsLine(line)).toEqual([
    {
      pid: 501,
      parent: 497,
      group: 498,
      session: 0,
      startTime: "Fri_Nov_20_17:05:29_2026",
      attempt: "a_1",
      outputs: [],
    },
  ]);
  expect(parsePsLine("501 497 498 Z Fri Nov 20 17:05:29 2026 <defunct>")).toEqual([]);
  expect(parsePsLine("")).toEqual([]);
});
