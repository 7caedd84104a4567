import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { hostname, tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { agentMessageSchema, hostFactsSchema } from "@nexus/shared/protocol/messages";
import fc from "fast-check";
import { afterEach, expect, it } from "vitest";
import { osName, readHostFacts, readMachineHash } from "./facts.ts";
import { cpuPctBetween, createHostSampler, parseAvailableMib, parseCpuTicks } from "./sample.ts";

const folders: string[] = [];
afterEach(async () => {
  await Promise.all(folders.splice(0).map((folder) => rm(folder, { recursive: true, force: true })));
});

async function tempFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "nexus-host-"));
  folders.push(folder);
  return folder;
}

const gpu = { gpuDriver: "none", gpuDriverVersion: null, gpuProblem: null } as const;

it("[G14] this machine's facts fit the wire", async () => {
  const facts = await readHostFacts({ agentVersion: "0.1.0", gpu });
  expect(hostFactsSchema.parse(facts)).toEqual(facts);
  expect(facts).toMatchObject({
    hostname: hostname(),
    user: userInfo().username,
    agentVersion: "0.1.0",
    ...gpu,
  });
  expect(facts.nodeVersion).toBe(process.versions.node);
  expect(facts.cpuCount).toBeGreaterThan(0);
  expect(facts.memoryTotalMib).toBeGreaterThan(0);
  if (process.platform === "linux") expect(facts.bootId).toMatch(/^[0-9a-f-]{36}$/);
});

it("[G14] a machine that does not tell is unknown, not an error", async () => {
  const folder = await tempFolder();
  const facts = await readHostFacts({ agentVersion: "0.1.0", gpu, roots: { proc: folder, etc: folder } });
  expect(facts.bootId).toBe("unknown");
  expect(facts.os).not.toBe("");
  expect(await readMachineHash({ etc: folder })).toBeNull();
});

it("[G14] the system's name is read in every quoting", () => {
  expect(osName('NAME="Debian"\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n')).toBe(
    "Debian GNU/Linux 12 (bookworm)",
  );
  expect(osName("PRETTY_NAME='Fedora 41'")).toBe("Fedora 41");
  expect(osName("PRETTY_NAME=Alpine")).toBe("Alpine");
});

it("[G14] the machine's id never leaves it, only a hash that is ours", async () => {
  const folder = await tempFolder();
  await writeFile(join(folder, "machine-id"), "5f2c9b0e7a314d6ea1b8c3d4e5f60718\n");
  const hash = await readMachineHash({ etc: folder });
  expect(hash).toMatch(/^[0-9a-f]{32}$/);
  expect(hash).not.toContain("5f2c9b0e");
});

it("[G15] a sample of this machine fits the wire; utilisation is known from the second on", async () => {
  const sampler = createHostSampler({ diskPath: tmpdir() });
  const first = await sampler.sample();
  expect(first.cpuPct).toBeNull();
  expect(first.diskFreeMib).toBeGreaterThan(0);
  expect(first.memoryUsedMib).toBeGreaterThan(0);
  expect(first.memoryUsedMib).toBeLessThanOrEqual(first.memoryTotalMib ?? 0);
  const host = await sampler.sample();
  agentMessageSchema.parse({ type: "telemetry", sampledAgoMs: 0, gpus: [], host });
});

it("[G15] utilisation is the share of busy time between two samples, waiting for disks is idle", async () => {
  const proc = await tempFolder();
  const sampler = createHostSampler({ diskPath: "/nowhere/at/all", procRoot: proc });
  await mkdir(proc, { recursive: true });
  await writeFile(join(proc, "meminfo"), "MemTotal: 1000 kB\nMemFree: 10 kB\nMemAvailable: 512000 kB\n");
  await writeFile(join(proc, "stat"), "cpu  100 0 50 800 50 0 0 0 20 0\ncpu0 1 1 1 1\n");
  await sampler.sample();
  await writeFile(join(proc, "stat"), "cpu  130 0 60 840 70 0 0 0 50 0\ncpu0 1 1 1 1\n");
  const sample = await sampler.sample();
  expect(sample.cpuPct).toBe(40);
  expect(sample.diskFreeMib).toBeNull();
});

it("[G15] counters that stand still or run backwards give no nonsense", () => {
  expect(cpuPctBetween({ busy: 5, total: 10 }, { busy: 5, total: 10 })).toBeNull();
  const ticks = fc.record({ busy: fc.nat(), total: fc.nat() });
  fc.assert(
    fc.property(ticks, ticks, (before, after) => {
      const pct = cpuPctBetween(before, after);
      return pct === null || (pct >= 0 && pct <= 100);
    }),
  );
  expect(parseCpuTicks("nothing")).toBeNull();
  expect(parseAvailableMib("MemAvailable:   15990800 kB")).toBe(15616);
  expect(parseAvailableMib("MemFree: 1 kB")).toBeNull();
});
