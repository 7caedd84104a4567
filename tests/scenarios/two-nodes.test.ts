import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Nexus } from "../harness/nexus.ts";
import { until } from "../harness/until.ts";

describe("two nodes, one of them with eight simulated GPUs", () => {
  let nexus: Nexus;
  beforeAll(async () => {
    nexus = await Nexus.start();
    await nexus.addAgent({ name: "plain" });
    await nexus.addAgent({ name: "big", labels: { role: "training" }, env: { NEXUS_GPUS: "sim:8x80GiB" } });
  });
  afterAll(() => nexus?.dispose());

  it("[W10] jobs go where their target's name or labels say", async () => {
    const byName = await nexus.submit({ command: ["true"], target: "plain", gpus: 0 });
    const byLabel = await nexus.submit({ command: ["true"], labels: { role: "training" }, gpus: 0 });
    expect((await nexus.ended(byName.id)).target?.name).toBe("plain");
    expect((await nexus.ended(byLabel.id)).target?.name).toBe("big");
  });

  it("[W11] sixteen 1-GPU jobs run eight at a time, each on its own GPU, and the waiting ones say why", async () => {
    const gate = `${nexus.home}/gate`;
    const command = ["sh", "-c", `echo $CUDA_VISIBLE_DEVICES; while [ ! -e ${gate} ]; do sleep 0.05; done`];
    const { jobs } = await nexus.call("jobs.submit", {
      jobs: Array.from({ length: 16 }, () => ({ command, gpus: 1 })),
    });
    const ids = new Set(jobs.map((job) => job.id));
    const now = await until("eight run and eight wait with a reason", async () => {
      const listed = (await nexus.call("jobs.list", { limit: 100 })).jobs.filter((job) => ids.has(job.id));
      const running = listed.filter((job) => job.state === "running");
      const waiting = listed.filter((job) => job.state === "queued" && job.reason?.code === "busy");
      return running.length === 8 && waiting.length === 8 && { running, waiting };
    });
    expect(new Set(now.running.flatMap((job) => job.gpuUuids)).size).toBe(8);
    expect(now.waiting[0]?.reason).toMatchObject({
      code: "busy",
      best: { target: "big", free: 0, total: 8 },
    });

    await nexus.cli(["run", "-g", "0", "--", "touch", gate]).exit();
    for (const id of ids) {
      const job = await nexus.ended(id);
      expect(job.state).toBe("succeeded");
      expect((await nexus.log(id)).toString().trim()).toBe(job.gpuUuids[0]);
    }
  });

  it("[W12] jobs that name GPU memory share a GPU while the sum fits", async () => {
    const gate = `${nexus.home}/gate-2`;
    const command = ["sh", "-c", `while [ ! -e ${gate} ]; do sleep 0.05; done`];
    const jobs = Array.from({ length: 16 }, () => ({ command, gpus: 1, gpuMemoryMib: 30 * 1024 }));
    const submitted = await nexus.call("jobs.submit", { jobs });
    await until("all sixteen run, two a GPU", async () => {
      const states = await Promise.all(submitted.jobs.map((job) => nexus.job(job.id)));
      return states.every((job) => job.state === "running");
    });
    await nexus.cli(["run", "-g", "0", "--", "touch", gate]).exit();
    for (const job of submitted.jobs) expect((await nexus.ended(job.id)).state).toBe("succeeded");
  });
});
