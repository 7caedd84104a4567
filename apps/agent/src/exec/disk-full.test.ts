import { execFileSync } from "node:child_process";
import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { parseRecord } from "../core/attempt-record.ts";
import { openJournal } from "./journal.ts";
import { openProcessTable } from "./process-table.ts";
import { readJournal } from "./read-journal.ts";
import { eventually } from "./testing/eventually.ts";
import { jobStart, kill, sh, type TestHome, testHome } from "./testing/test-home.ts";

const mayMount = process.platform === "linux" && process.getuid?.() === 0;

// tidy-allow skip: only root may mount the small disk that is filled here; CI runs as root
describe.skipIf(!mayMount)("on a disk that is full", () => {
  let disk: string;
  /** Outside of the small disk. */
  let outside: string;
  let home: TestHome;

  beforeEach(() => {
    outside = mkdtempSync(join(tmpdir(), "nexus-outside-"));
    disk = mkdtempSync(join(tmpdir(), "nexus-disk-"));
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=1m", "nexus-test", disk]);
    home = testHome(join(disk, "home"));
  });

  afterEach(async () => {
    rmSync(join(disk, "filler"), { force: true });
    try {
      await home.end();
    } finally {
      execFileSync("umount", ["-l", disk]);
      rmSync(disk, { recursive: true });
      rmSync(outside, { recursive: true });
    }
  });

  function fill(): void {
    const fd = openSync(join(disk, "filler"), "w");
    try {
      for (;;) writeSync(fd, Buffer.alloc(4096));
    } catch (error) {
      expect(error).toMatchObject({ code: "ENOSPC" });
    } finally {
      closeSync(fd);
    }
  }

  function free(): void {
    rmSync(join(disk, "filler"));
  }

  const recordOf = (attempt: string) =>
    parseRecord(readFileSync(join(home.path, "attempts", `${attempt}.record`), "latin1"));

  it("[J41] a start is refused with disk_full and leaves nothing; when there is room it is taken", async () => {
    const supervisor = await home.open();
    fill();
    const batch = [sh(`touch ${join(outside, "ran")}`), jobStart(["true"])];
    for (const answer of await supervisor.start(batch)) {
      expect(answer).toMatchObject({
        state: "refused",
        refusal: {
          code: "disk_full",
          fault: "disk_full",
          message: expect.stringMatching(/cannot be written: the disk is full\.$/),
        },
      });
    }
    expect(supervisor.inventory()).toEqual([]);
    expect(readdirSync(join(home.path, "attempts"))).toEqual([]);
    free();
    expect(await supervisor.start(batch)).toMatchObject([{ state: "recorded" }, { state: "recorded" }]);
    for (const { attempt } of batch) expect(await supervisor.exited(attempt)).toMatchObject({ exitCode: 0 });
    expect(existsSync(join(outside, "ran"))).toBe(true);
  });

  it("[J41] a batch of which the disk takes only a part is not in the journal at all", async () => {
    const path = join(disk, "attempts.journal");
    const journal = await openJournal(path, await readJournal(path));
    const stop = { type: "fence", job: "j_1", fence: 1 } as const;
    await journal.append([stop]);
    const bytes = readFileSync(path);
    fill();
    // The rest of the page that the file has already is room for some lines of it, not for all.
    const batch = Array.from({ length: 200 }, (_, index) => ({ ...stop, fence: index + 2 }));
    const refused = {
      code: "disk_full",
      message: expect.stringMatching(/journal .* cannot be written: the disk is full\.$/),
    };
    await expect(journal.append(batch)).rejects.toMatchObject(refused);
    expect(readFileSync(path)).toEqual(bytes);
    free();
    await journal.append([{ ...stop, fence: 7 }]);
    await journal.close();
    expect((await readJournal(path)).fences.get("j_1")).toBe(7);
  });

  it("[J38] attempts whose logs have filled the disk can be forgotten, and that makes room", async () => {
    const supervisor = await home.open();
    // So many that the lines which forget them do not fit into the journal's last page.
    const quiet = Array.from({ length: 95 }, () => jobStart(["true"]));
    const loud = sh("yes | head -c 4194304");
    await supervisor.start(quiet);
    for (const { attempt } of quiet) await supervisor.exited(attempt);
    await supervisor.start([loud]);
    await supervisor.exited(loud.attempt);
    fill();
    await supervisor.forget([...quiet, loud].map(({ attempt }) => attempt));
    expect(supervisor.inventory()).toEqual([]);
    expect(existsSync(supervisor.logPath(loud.attempt))).toBe(false);
    const next = jobStart(["true"]);
    expect(await supervisor.start([next])).toMatchObject([{ state: "recorded" }]);
    await supervisor.exited(next.attempt);
  });

  it("[J26] a job that ends while the disk is full still has its exit code recorded", async () => {
    const supervisor = await home.open();
    const job = sh(`while [ ! -e ${join(outside, "go")} ]; do sleep 0.02; done; exit 23`);
    await supervisor.start([job]);
    await supervisor.started(job.attempt);
    fill();
    closeSync(openSync(join(outside, "go"), "w"));
    expect(await supervisor.exited(job.attempt)).toMatchObject({ exitCode: 23 });
    await eventually("the record", () => recordOf(job.attempt).end);
    await supervisor.close();
    free();
    const next = await home.open();
    await eventually("its exit", () => next.inventory()[0]?.exit);
    expect(next.inventory()).toMatchObject([{ exit: { exitCode: 23, reason: "exited" } }]);
  });

  it("[J41] a job whose claim the disk does not take does not begin, and is told as the node's fault", async () => {
    const supervisor = await home.open();
    const [launcher] = openProcessTable().running(join(home.path, "launcher-"));
    kill(launcher?.pid ?? 0, "SIGSTOP");
    const job = sh(`touch ${join(outside, "ran")}`);
    await supervisor.start([job]);
    fill();
    kill(launcher?.pid ?? 0, "SIGCONT");
    const told = { reason: "start_failed", exitCode: null, message: expect.stringMatching(/did not begin/) };
    expect(await supervisor.exited(job.attempt)).toMatchObject({
      ...told,
      nodeFault: {
        code: "disk_full",
        message: expect.stringMatching(/^its disk is full \(0 MiB free at .*free space there$/),
      },
    });
    await supervisor.close();
    free();
    const next = await home.open();
    await eventually("the same verdict", () => next.inventory()[0]?.exit);
    expect(next.inventory()).toMatchObject([{ exit: { ...told, nodeFault: { code: "home_failing" } } }]);
    expect(await next.start([job])).toMatchObject([{ state: "exited" }]);
    expect(existsSync(join(outside, "ran"))).toBe(false);
  });

  it("[J41] an agent that cannot write its home says so and does not begin", async () => {
    await (await home.open()).close();
    fill();
    await expect(home.open()).rejects.toMatchObject({
      code: "disk_full",
      message: expect.stringMatching(/the disk is full\.$/),
    });
  });

  it("[J41] a disk that has become read-only refuses starts with that reason", async () => {
    const supervisor = await home.open();
    const attempts = join(home.path, "attempts");
    execFileSync("mount", ["--bind", attempts, attempts]);
    execFileSync("mount", ["-o", "remount,bind,ro", attempts]);
    const job = jobStart(["true"]);
    try {
      expect(await supervisor.start([job])).toMatchObject([
        {
          state: "refused",
          refusal: {
            code: "forbidden",
            fault: "home_unwritable",
            message: expect.stringMatching(/mounted read-only\.$/),
          },
        },
      ]);
    } finally {
      execFileSync("umount", [attempts]);
    }
    expect(await supervisor.start([job])).toMatchObject([{ state: "recorded" }]);
    await supervisor.exited(job.attempt);
  });
});
