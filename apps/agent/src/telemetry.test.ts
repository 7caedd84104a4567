import { spawnSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { AgentMessage } from "@nexus/shared/protocol/messages";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createGpuDriver } from "./gpu/create-gpu-driver.ts";
import type { GpuDriver } from "./gpu/driver.ts";
import { readHostFacts } from "./host/facts.ts";
import { createHostSampler } from "./host/sample.ts";
import { createTelemetry, type Telemetry } from "./telemetry.ts";

const mayMount = process.platform === "linux" && process.getuid?.() === 0;

let folder: string;
let driver: GpuDriver;
let telemetry: Telemetry;
let sent: AgentMessage[];
let onSent: () => void;
let cpuModel: string;
let low: number[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "nexus-telemetry-"));
  sent = [];
  low = [];
  cpuModel = "before";
  driver = await createGpuDriver({
    setting: "sim:2x80GiB",
    searchPath: "",
    seed: "s",
    nowMs: () => performance.now(),
    pace: { gpuIntervalMs: 10 },
  });
  const gpu = { gpuDriver: driver.kind, gpuDriverVersion: null, gpuProblem: null };
  telemetry = createTelemetry({
    driver,
    sampler: createHostSampler({ diskPath: folder }),
    readFacts: async () => ({ ...(await readHostFacts({ agentVersion: "1", gpu })), cpuModel }),
    send(message) {
      sent.push(message);
      onSent();
      return true;
    },
    onDiskLow: ({ freeMib }) => low.push(freeMib),
  });
});
afterEach(async () => {
  telemetry.close();
  await driver.close();
  await rm(folder, { recursive: true, force: true });
});

async function next<T extends AgentMessage["type"]>(type: T) {
  for (;;) {
    const at = sent.findIndex((message) => message.type === type);
    const [found] = at < 0 ? [] : sent.splice(at, 1);
    if (found !== undefined) return found as Extract<AgentMessage, { type: T }>;
    await new Promise<void>((resolve) => {
      onSent = resolve;
    });
  }
}

describe("telemetry", () => {
  it("[P44] each sample of the GPUs is sent with the host's, with its age and no clock time", async () => {
    onSent = () => undefined;
    const message = await next("telemetry");
    expect(message.gpus).toHaveLength(2);
    expect(message.sampledAgoMs).toBeGreaterThanOrEqual(0);
    expect(message.host.memoryTotalMib).toBeGreaterThan(0);
  });

  it("[P44] facts are sent again only when they changed since they were told", async () => {
    onSent = () => undefined;
    await telemetry.facts();
    await next("telemetry");
    await next("telemetry");
    expect(sent.some(({ type }) => type === "facts")).toBe(false);
    cpuModel = "after";
    expect((await next("facts")).facts.cpuModel).toBe("after");
    sent.length = 0;
    await next("telemetry");
    await next("telemetry");
    expect(sent.some(({ type }) => type === "facts")).toBe(false);
  });

  // tidy-allow skip: only root may mount the small disk that is filled here; CI runs as root
  it.skipIf(!mayMount)("[P49] a disk that gets low is told once, with its size in each sample", async () => {
    const run = (command: string, ...args: string[]) => expect(spawnSync(command, args).status).toBe(0);
    onSent = () => undefined;
    run("mount", "-t", "tmpfs", "-o", "size=700m", "nexus-test", folder);
    try {
      await next("telemetry");
      expect((await next("telemetry")).host.diskTotalMib).toBe(700);
      expect(low).toEqual([]);
      run("fallocate", "-l", "400M", join(folder, "filler"));
      while (low.length === 0) await next("telemetry");
      await next("telemetry");
      expect(low).toEqual([300]);
    } finally {
      run("umount", "-l", folder);
    }
  });
});
