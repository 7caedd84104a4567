import type { Nexus } from "../../tests/harness/nexus.ts";
import type { BenchCase } from "../bench-case.ts";
import { openNexus, unlessBuilt } from "../nexus.ts";
import { memoryMib } from "../process-tree.ts";
import { socketToFile } from "./socket-to-file.ts";

const LOG_MB = 256;
const STORE_JOBS = 4;
const LINES = 200;
const LINE_EVERY_MS = 20;
const STEADY_S = 60;
const STEADY_MB_PER_S = 10;
const STEADY_WARM_S = 5;

/** A job writes as fast as it can; the viewer reads the stream of the raw log from its first byte to its end. */
export const nexusLogRate: BenchCase = {
  name: "Nexus, log from job to viewer",
  unit: "MB/s",
  absent: unlessBuilt,
  async run(ctx) {
    const { nexus } = await openNexus(ctx);
    const bytes = LOG_MB * 1_000_000;
    const job = await nexus.submit({
      command: ["sh", "-c", `yes 0123456789abcdef0123456789abcdef | head -c ${bytes}`],
    });
    let seen = 0;
    let firstAt: number | undefined;
    await follow(nexus, job.id, (chunk) => {
      firstAt ??= performance.now();
      seen += chunk.length;
    });
    if (seen !== bytes || firstAt === undefined) throw new Error(`the viewer saw ${seen} of ${bytes} bytes`);
    return [LOG_MB / ((performance.now() - firstAt) / 1000)];
  },
};

/**
 * Several jobs write as fast as they can and nobody looks: from their files over the socket into the server's, and acked. The time
 * and the processors that the jobs take for writing are counted in.
 */
export const nexusLogStore: BenchCase = {
  name: "Nexus, logs of 4 jobs from agent to disk",
  unit: "MB/s",
  floor: socketToFile.name,
  absent: unlessBuilt,
  async run(ctx) {
    const { nexus } = await openNexus(ctx);
    const bytes = LOG_MB * 1_000_000;
    const startedAt = performance.now();
    const jobs = await Promise.all(
      Array.from({ length: STORE_JOBS }, () =>
        nexus.submit({ command: ["sh", "-c", `yes 0123456789abcdef0123456789abcdef | head -c ${bytes}`] }),
      ),
    );
    for (const { id } of jobs) {
      while ((await logBytes(nexus, id)) < bytes) await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return [(STORE_JOBS * LOG_MB) / ((performance.now() - startedAt) / 1000)];
  },
};

/** Each line of the job is the moment at which it was written, on the clock that the viewer reads too. */
export const nexusLogDelay: BenchCase = {
  name: "Nexus, log line from job to viewer",
  unit: "ms",
  absent: unlessBuilt,
  async run(ctx) {
    const { nexus } = await openNexus(ctx);
    const write = "process.stdout.write(performance.timeOrigin + performance.now() + '\\n')";
    const script = `let n = 0; const t = setInterval(() => { ${write}; if (++n === ${LINES}) clearInterval(t); }, ${LINE_EVERY_MS})`;
    const job = await nexus.submit({ command: [process.execPath, "-e", script] });
    const samples: number[] = [];
    let rest = "";
    await follow(nexus, job.id, (chunk) => {
      const nowMs = performance.timeOrigin + performance.now();
      const lines = (rest + Buffer.from(chunk).toString()).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) samples.push(nowMs - Number(line));
    });
    return samples;
  },
};

/**
 * How much the control plane grows while a job writes 10 MB a second for a minute, and one viewer reads along: the median of
 * the last ten seconds less that of the first ten after the buffers that stay were filled. A single reading would be one of
 * the garbage collector's moments.
 */
export const nexusSteadyLog: BenchCase = {
  name: "Nexus control plane, growth over 1 min of 10 MB/s log",
  unit: "MiB",
  rounds: 1,
  absent: unlessBuilt,
  async run(ctx) {
    const { nexus } = await openNexus(ctx);
    const pid = nexus.server.process.pid ?? 0;
    const second = `head -c ${STEADY_MB_PER_S * 1_000_000} /dev/zero | tr '\\0' x; sleep 1`;
    const job = await nexus.submit({
      command: ["sh", "-c", `n=${STEADY_S}; while [ "$n" -gt 0 ]; do ${second}; n=$((n - 1)); done`],
    });
    const warmBytes = STEADY_WARM_S * STEADY_MB_PER_S * 1_000_000;
    const bytes = STEADY_S * STEADY_MB_PER_S * 1_000_000;
    let seen = 0;
    const memory: number[] = [];
    const timer = setInterval(() => {
      if (seen >= warmBytes) memory.push(memoryMib(pid));
    }, 1000);
    try {
      await follow(nexus, job.id, (chunk) => {
        seen += chunk.length;
      });
    } finally {
      clearInterval(timer);
    }
    if (seen !== bytes) throw new Error(`the viewer saw ${seen} of ${bytes} bytes`);
    const [start, end] = [median(memory.slice(0, 10)), median(memory.slice(-10))];
    const most = Math.max(...memory);
    process.stderr.write(
      `  control plane: ${start.toFixed(1)} MiB at the start, ${end.toFixed(1)} at the end, ${most.toFixed(1)} at most\n`,
    );
    return [end - start];
  },
};

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}

async function logBytes(nexus: Nexus, job: string): Promise<number> {
  const response = await nexus.fetch(`/api/v1/jobs/${job}/log?offset=0&limit=1`);
  await response.arrayBuffer();
  return Number(response.headers.get("x-log-size"));
}

async function follow(nexus: Nexus, job: string, onChunk: (chunk: Uint8Array) => void): Promise<void> {
  const response = await nexus.fetch(`/api/v1/jobs/${job}/log?follow=1&offset=0`);
  if (!response.ok || !response.body)
    throw new Error(`log of ${job}: ${response.status} ${await response.text()}`);
  for await (const chunk of response.body) onChunk(chunk);
}
