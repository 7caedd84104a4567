import { Agent, request } from "node:http";
import type { Job } from "@nexus/shared/api/schemas";
import { Nexus } from "../../tests/harness/nexus.ts";
import { until } from "../../tests/harness/until.ts";
import type { BenchCase, BenchContext } from "../bench-case.ts";
import { openNexus, unlessBuilt } from "../nexus.ts";
import { cpuMsOfTree, memoryMib } from "../process-tree.ts";
import { openStartProbe } from "../start-probe.ts";

const QUEUED = 10_000;
const BATCH = 1_000;
const LISTS = 20;
const FOLLOWERS = 1_000;
const STARTS = 60;

type Queue = { nexus: Nexus; jobsPerSecond: number };

/** Ten thousand jobs that nothing can take yet. */
function openQueue(ctx: BenchContext): Promise<Queue> {
  return ctx.share("queue", async () => {
    const nexus = await Nexus.start();
    const { pid = 0 } = nexus.server.process;
    const before = memoryMib(pid);
    const cpuBefore = cpuMsOfTree(pid);
    const startedAtMs = performance.now();
    for (let n = 0; n < QUEUED; n += BATCH) {
      await nexus.call("jobs.submit", {
        jobs: Array.from({ length: BATCH }, () => ({ command: ["/bin/true"] })),
      });
    }
    const jobsPerSecond = QUEUED / ((performance.now() - startedAtMs) / 1000);
    const cpuMs = (cpuMsOfTree(pid) - cpuBefore) / QUEUED;
    note(
      `${QUEUED} wait: ${Math.round(before)} → ${Math.round(memoryMib(pid))} MiB resident, ${cpuMs.toFixed(2)} ms of CPU a submission`,
    );
    return { value: { nexus, jobsPerSecond }, close: () => nexus.dispose() };
  });
}

export const nexusQueue: BenchCase[] = [
  {
    name: `Nexus, ${QUEUED} queued: submit`,
    unit: "jobs/s",
    rounds: 1,
    isByName: true,
    absent: unlessBuilt,
    run: async (ctx) => [(await openQueue(ctx)).jobsPerSecond],
  },
  listed("newest"),
  listed("line"),
  {
    name: `Nexus, ${QUEUED} queued: one more submission`,
    unit: "ms",
    rounds: 1,
    isByName: true,
    absent: unlessBuilt,
    async run(ctx) {
      const { nexus } = await openQueue(ctx);
      return await timed(nexus, async () => void (await nexus.submit({ command: ["/bin/true"] })));
    },
  },
];

function listed(order: "newest" | "line"): BenchCase {
  return {
    name: `Nexus, ${QUEUED} queued: jobs.list, ${order}`,
    unit: "ms",
    rounds: 1,
    isByName: true,
    absent: unlessBuilt,
    async run(ctx) {
      const { nexus } = await openQueue(ctx);
      return await timed(nexus, async () => {
        const { jobs } = await nexus.call("jobs.list", { order, limit: 50 });
        if (jobs.length !== 50) throw new Error(`${jobs.length} jobs were listed`);
      });
    },
  };
}

async function timed(nexus: Nexus, act: () => Promise<void>): Promise<number[]> {
  const { pid = 0 } = nexus.server.process;
  const cpuBefore = cpuMsOfTree(pid);
  const samples: number[] = [];
  for (let n = 0; n < LISTS; n += 1) {
    const atMs = performance.now();
    await act();
    samples.push(performance.now() - atMs);
  }
  note(`${((cpuMsOfTree(pid) - cpuBefore) / LISTS).toFixed(1)} ms of CPU each`);
  return samples;
}

const WITHOUT = `Nexus, submit to start beside 0 of ${FOLLOWERS} followers`;

/** In turns, so that a slow minute touches both alike: the followers come before each second round of starts and go after it. */
export const nexusFollowers: BenchCase[] = [
  { name: WITHOUT, unit: "ms", isByName: true, absent: unlessBuilt, run: starts },
  {
    name: `Nexus, submit to start beside ${FOLLOWERS} idle followers`,
    unit: "ms",
    floor: WITHOUT,
    isByName: true,
    absent: unlessBuilt,
    async run(ctx) {
      const { nexus } = await openNexus(ctx);
      const job = await nexus.submit({ command: ["sleep", "600"] });
      await nexus.inState(job.id, "running");
      const leave = await followMany(nexus, job);
      note(`with followers: ${Math.round(memoryMib(nexus.server.process.pid ?? 0))} MiB resident`);
      const samples = await starts(ctx);
      leave();
      await nexus.call("jobs.cancel", { jobs: [job.id] });
      await nexus.ended(job.id);
      return samples;
    },
  },
];

async function starts(ctx: BenchContext): Promise<number[]> {
  const { nexus } = await openNexus(ctx);
  const { pid = 0 } = nexus.server.process;
  const probe = openStartProbe(ctx.folder);
  const samples: number[] = [];
  const cpuBefore = cpuMsOfTree(pid);
  for (let n = 0; n < STARTS; n += 1) {
    const running = probe.next();
    const atMs = performance.now();
    const job = await nexus.submit({ command: probe.argv });
    samples.push((await running) - atMs);
    await nexus.ended(job.id);
  }
  await probe.close();
  note(`${((cpuMsOfTree(pid) - cpuBefore) / STARTS).toFixed(1)} ms of CPU of the control plane a job`);
  return samples;
}

async function followMany(nexus: Nexus, job: Job): Promise<() => void> {
  const agent = new Agent({ maxSockets: Number.POSITIVE_INFINITY });
  let following = 0;
  const requests = Array.from({ length: FOLLOWERS }, () => {
    const url = `${nexus.url}/api/v1/jobs/${job.id}/log?follow=1&offset=0`;
    const one = request(url, { agent, headers: { authorization: `Bearer ${nexus.apiKey}` } });
    one.on("response", (response) => {
      if (response.statusCode === 200) following += 1;
      response.resume();
      response.on("error", () => undefined);
    });
    one.on("error", () => undefined);
    one.end();
    return one;
  });
  await until("all follow", async () => following === FOLLOWERS, 60_000);
  return () => {
    for (const one of requests) one.destroy();
    agent.destroy();
  };
}

function note(text: string): void {
  process.stderr.write(`  ${text}\n`);
}
