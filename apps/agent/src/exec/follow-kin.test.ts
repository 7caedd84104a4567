import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { KnownAttempt } from "../core/attempts.ts";
import { attemptFiles } from "./attempt-files.ts";
import { membersOfTrees } from "./end-trees.ts";
import { createKinFollower } from "./follow-kin.ts";
import { liveAttempt, treeOf } from "./live-attempt.ts";
import { openProcessTable } from "./process-table.ts";
import { eventually } from "./testing/eventually.ts";

let folder: string;
let job: ChildProcess | null = null;
let daemon = 0;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "nexus-kin-"));
});
afterEach(() => {
  job?.kill("SIGKILL");
  if (daemon > 0) process.kill(daemon, "SIGKILL");
  rmSync(folder, { recursive: true });
});

it("[J54] a daemon that was seen once stays known when all that led to it has ended", async () => {
  const table = openProcessTable("proc");
  const [told, go] = [join(folder, "pid"), join(folder, "go")];
  const between = `setsid env -i /bin/sleep 600 & echo $! >${told}; while [ ! -e ${go} ]; do sleep 0.02; done`;
  job = spawn("/bin/sh", ["-c", `sh -c '${between}'; sleep 600`], { stdio: "ignore", detached: true });
  await once(job, "spawn");
  const live = liveAttempt(
    { attempt: "a_kin", cgroup: null } as KnownAttempt,
    attemptFiles(folder, "a_kin", "a_kin"),
  );
  live.childPid = job.pid ?? 0;
  const [row] = table.scan(null).filter(({ pid }) => pid === job?.pid);
  live.claim = { pid: 1, session: row?.session ?? 0, startTime: row?.startTime ?? "" } as typeof live.claim;
  const follower = createKinFollower({
    table,
    nowMs: () => performance.now(),
    everyMs: 2000,
    running: () => [live],
  });
  follower.lookSoon();
  daemon = await eventually(
    "its pid",
    () => (existsSync(told) && Number(readFileSync(told, "utf8"))) || null,
  );
  await eventually("it is seen", () => live.kin.has(daemon));
  const parentOf = (pid: number) => table.scan(null).find((one) => one.pid === pid)?.parent;
  const before = parentOf(daemon);
  writeFileSync(go, "");
  await eventually("its parent has ended", () => parentOf(daemon) !== before);
  const pids = () => membersOfTrees([treeOf(live)], table)[0]?.map(({ pid }) => pid);
  expect(pids()).toContain(daemon);
  live.kin.clear();
  expect(pids()).not.toContain(daemon);
  follower.close();
});
