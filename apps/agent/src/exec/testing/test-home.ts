import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import type { JobStart } from "@nexus/shared/protocol/messages";
import { baseEnvironment } from "../job-environment.ts";
import { openProcessTable } from "../process-table.ts";
import {
  type AttemptEvent,
  createSupervisor,
  type Supervisor,
  type SupervisorOptions,
} from "../supervisor.ts";
import { eventually } from "./eventually.ts";

const TEST_PATH = "/usr/local/bin:/usr/bin:/bin";
export const BASE_ENV = baseEnvironment(
  { PATH: TEST_PATH, TMPDIR: tmpdir() },
  { ...userInfo(), shell: "/bin/sh" },
);

export type TestSupervisor = Supervisor & {
  events: AttemptEvent[];
  notices: { code: string; message: string }[];
  started(attempt: string): Promise<Extract<AttemptEvent, { type: "started" }>>;
  exited(attempt: string): Promise<Extract<AttemptEvent, { type: "exited" }>>;
};

/** A folder of its own and everything that runs from it; `end` leaves neither files nor processes. */
export type TestHome = {
  path: string;
  open(options?: Partial<SupervisorOptions>): Promise<TestSupervisor>;
  end(): Promise<void>;
};

export function testHome(path: string = mkdtempSync(join(tmpdir(), "nexus-exec-"))): TestHome {
  const open: TestSupervisor[] = [];
  return {
    path,
    async open(options = {}) {
      const supervisor = await openSupervisor(path, options);
      open.push(supervisor);
      return supervisor;
    },
    async end() {
      for (const supervisor of open) await supervisor.close();
      await endJobsOf(path);
      rmSync(path, { recursive: true, force: true });
    },
  };
}

async function openSupervisor(home: string, options: Partial<SupervisorOptions>): Promise<TestSupervisor> {
  const events: AttemptEvent[] = [];
  const notices: TestSupervisor["notices"] = [];
  const supervisor = await createSupervisor({
    home,
    baseEnv: BASE_ENV,
    lookEveryMs: 50,
    onEvents: (batch) => events.push(...batch),
    onNotice: (notice) => notices.push(notice),
    ...options,
  });
  return {
    ...supervisor,
    events,
    notices,
    started: (attempt) =>
      eventually(`start of ${attempt}`, () =>
        events.find((event) => event.type === "started" && event.attempt === attempt),
      ).then((event) => {
        if (event.type !== "started") throw new Error("no start");
        return event;
      }),
    exited: (attempt) =>
      eventually(`exit of ${attempt}`, () =>
        events.find((event) => event.type === "exited" && event.attempt === attempt),
      ).then((event) => {
        if (event.type !== "exited") throw new Error("no exit");
        return event;
      }),
  };
}

async function endJobsOf(home: string): Promise<void> {
  const last = await openSupervisor(home, {}).catch(() => null);
  for (const { attempt } of last?.inventory() ?? []) last?.stop(attempt, { reason: "cancelled", graceMs: 0 });
  if (last)
    await eventually("end of all jobs", () => last.inventory().every(({ state }) => state === "exited"));
  await last?.forget(last.inventory().map(({ attempt }) => attempt));
  await last?.close();
  await eventually("end of all launchers and supervisors", () => {
    const left = openProcessTable().running(join(home, "launcher-"));
    if (last === null) for (const { pid } of left) kill(pid);
    return left.length === 0;
  });
}

export function kill(pid: number, signal: NodeJS.Signals = "SIGKILL"): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended.
  }
}

let count = 0;

/** A start with an id of its own, whatever else runs on the machine. */
export function jobStart(command: string[], more: Partial<JobStart> = {}): JobStart {
  count += 1;
  const name = `${process.pid.toString(36)}${Date.now().toString(36)}${count}`;
  return {
    attempt: `a_${name}`,
    job: `j_${name}`,
    fence: 1,
    command,
    env: {},
    cwd: "/",
    gpus: [],
    timeoutMs: null,
    graceMs: 500,
    ...more,
  };
}

export function sh(script: string, more: Partial<JobStart> = {}): JobStart {
  return jobStart(["sh", "-c", script], more);
}
