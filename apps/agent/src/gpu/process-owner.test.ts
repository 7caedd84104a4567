import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, it } from "vitest";
import { findExecutable } from "./create-gpu-driver.ts";
import { createProcessOwners, markerIn, parseStat } from "./process-owner.ts";
import { createUserNames } from "./user-names.ts";

const undo: (() => unknown)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

async function passwd(content: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "nexus-passwd-"));
  undo.push(() => rm(folder, { recursive: true, force: true }));
  await writeFile(join(folder, "passwd"), content);
  return join(folder, "passwd");
}

it("[G8] a name is taken from the machine's accounts, then from its directory, else it is the number", async () => {
  const passwdPath = await passwd("alice:x:1001:1001::/home/alice:/bin/sh\nbroken\n::\n");
  const getent = await findExecutable("getent", process.env.PATH ?? "");
  const names = createUserNames({ passwdPath, getent });
  expect(await names.nameOf(1001)).toBe("alice");
  expect(await names.nameOf(4_000_123)).toBe("uid 4000123");
  if (getent !== null) expect(await names.nameOf(0)).toBe("root");
  expect(await createUserNames({ passwdPath: "/nowhere", getent: null }).nameOf(7)).toBe("uid 7");
});

it("[G8] names of commands may hold spaces and parentheses", () => {
  const stat = "812 (a) b (c) S 7 812 812 0 -1 4194304 1 0 0 0 0 0 0 0 20 0 1 0 55512 1 1";
  expect(parseStat(stat)).toEqual({ pid: 812, name: "a) b (c", parentPid: 7, startTicks: "55512" });
  expect(parseStat("")).toBeNull();
});

it("[G8] only a whole variable of the marker's name with an attempt's id counts", () => {
  expect(markerIn("A=1\0NEXUS_ATTEMPT_ID=a_0123456789\0B=2\0")).toBe("a_0123456789");
  expect(markerIn("XNEXUS_ATTEMPT_ID=a_1\0")).toBeNull();
  expect(markerIn("NEXUS_ATTEMPT_ID=<script>\0")).toBeNull();
});

it("[G8] a known process is looked at once; a process that ended is unknown", async () => {
  const child = spawn("sleep", ["1000"], { env: { NEXUS_ATTEMPT_ID: "a_7" } });
  undo.push(() => child.kill("SIGKILL"));
  let lookUps = 0;
  const owners = createProcessOwners({
    procRoot: "/proc",
    userNames: {
      nameOf: async () => {
        lookUps++;
        return "someone";
      },
    },
  });
  const pid = child.pid ?? 0;
  await new Promise((resolve) => child.once("spawn", resolve));
  for (let turn = 0; turn < 3; turn++) {
    expect((await owners.of(new Map([[pid, "/bin/train"]]))).get(pid)).toEqual({
      user: "someone",
      command: "train",
      attempt: "a_7",
    });
  }
  expect(lookUps).toBe(1);
  child.kill("SIGKILL");
  await new Promise((resolve) => child.once("exit", resolve));
  expect((await owners.of(new Map([[pid, "/bin/train"]]))).get(pid)).toEqual({
    user: null,
    command: "train",
    attempt: null,
  });
});
