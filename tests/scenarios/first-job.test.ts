import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Nexus } from "../harness/nexus.ts";
import { until } from "../harness/until.ts";

describe("a fleet of one machine", () => {
  let nexus: Nexus;
  beforeAll(async () => {
    nexus = await Nexus.start();
    await nexus.addAgent({ name: "local" });
  });
  afterAll(() => nexus?.dispose());

  it("[W1] `nexus run` prints each line while the job still runs, and ends with its exit code", async () => {
    // The job waits for a file that the test makes only after it saw the first line: the stream is live, or this hangs.
    const gate = `${nexus.home}/gate`;
    const run = nexus.cli([
      "run",
      "--",
      "sh",
      "-c",
      `echo one; while [ ! -e ${gate} ]; do sleep 0.05; done; echo two; exit 7`,
    ]);
    await run.says("one");
    expect(run.stdout).not.toContain("two");
    await nexus.cli(["run", "--", "touch", gate]).exit();
    expect(await run.exit()).toBe(7);
    expect(run.stdout).toContain("two");
  });

  it("[W2] a job sees its environment and folder, no GPU when it asked for none, and nothing of the agent's settings", async () => {
    const job = await nexus.submit({
      command: [
        "sh",
        "-c",
        'echo "$GREETING|$PWD"; env | grep -E "^(CUDA_VISIBLE_DEVICES|NEXUS_AGENT_HOME)="; true',
      ],
      env: { GREETING: 'it\'s "$HOME" `x` \\ é' },
      cwd: "/tmp",
      gpus: 0,
    });
    const log = (await nexus.log(job.id)).toString();
    expect(log).toBe('it\'s "$HOME" `x` \\ é|/tmp\nCUDA_VISIBLE_DEVICES=\n');
    expect(await nexus.ended(job.id)).toMatchObject({ state: "succeeded", exitCode: 0 });
  });

  it("[W3] a line of 100 MB, bytes that are not UTF-8 and a job without a newline arrive byte for byte", async () => {
    const script = "head -c 100000000 /dev/zero | tr '\\0' x; printf '\\nbad: \\377\\376\\200 end'";
    const job = await nexus.submit({ command: ["sh", "-c", script], gpus: 0 });
    const log = await nexus.log(job.id);
    expect(log.length).toBe(100_000_000 + 13);
    expect(log.subarray(100_000_000)).toEqual(Buffer.from("\nbad: \xff\xfe\x80 end", "latin1"));
    expect(log.subarray(0, 100_000_000).every((byte) => byte === 0x78)).toBe(true);
  });

  it("[W4] an unknown program, a missing folder and a target that does not exist say so", async () => {
    const unknown = await nexus.submit({ command: ["no-such-program-here"], gpus: 0 });
    expect(await nexus.ended(unknown.id)).toMatchObject({
      state: "failed",
      message: expect.stringContaining("no-such-program-here"),
    });
    const folder = await nexus.submit({ command: ["true"], cwd: "/no/such/folder", gpus: 0 });
    const ended = await nexus.ended(folder.id);
    expect(ended.state).toBe("failed");
    expect(ended.message).toContain("/no/such/folder");
    await expect(nexus.submit({ command: ["true"], target: "nowhere", gpus: 0 })).rejects.toThrow(/nowhere/);
  });

  it("[W5] cancel ends a job that ignores TERM, and its children that left its session", async () => {
    const script =
      "trap '' TERM; setsid sleep 1000 & setsid sh -c 'trap \"\" TERM; sleep 1000' & echo ready; wait; sleep 1000";
    const job = await nexus.submit({ command: ["sh", "-c", script], gpus: 0, graceMs: 300 });
    await until("it is ready", async () => (await nexus.job(job.id)).logBytes > 0);
    await nexus.call("jobs.cancel", { jobs: [job.id] });
    expect(await nexus.ended(job.id)).toMatchObject({ state: "cancelled" });
    const survivors = await nexus.cli([
      "run",
      "--",
      "sh",
      "-c",
      `grep -lz ${job.id} /proc/[0-9]*/environ 2>/dev/null | grep -v self; true`,
    ]);
    expect(await survivors.exit()).toBe(0);
    expect(survivors.stdout.trim()).toBe("");
  });

  it("[W6] a job past its timeout is ended and says so", async () => {
    const job = await nexus.submit({ command: ["sleep", "1000"], gpus: 0, timeoutMs: 1000, graceMs: 200 });
    expect(await nexus.ended(job.id)).toMatchObject({ state: "timed_out" });
  });
});
