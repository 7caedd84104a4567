/**
 * What the node measures, at the pace of its GPU driver, or every few seconds without one. Owns: the timer, the facts that were
 * told last. Samples are for now: what cannot be sent at once is dropped.
 */
import type { AgentMessage, GpuFacts, HostFacts } from "@nexus/shared/protocol/messages";
import type { GpuDriver } from "./gpu/driver.ts";
import type { HostSampler } from "./host/sample.ts";

export type TelemetryOptions = {
  driver: GpuDriver;
  sampler: HostSampler;
  readFacts(): Promise<HostFacts>;
  send(message: AgentMessage): boolean;
  onDiskLow(freeMib: number): void;
};

export type Telemetry = {
  facts(): Promise<{ facts: HostFacts; gpus: GpuFacts[] }>;
  close(): void;
};

/** Without GPUs nothing changes fast enough to be worth more. */
const HOST_EVERY_MS = 5_000;
/** Less than this, and logs and exit records are in danger. */
const DISK_LOW_MIB = 512;

export function createTelemetry(options: TelemetryOptions): Telemetry {
  const { driver, sampler, send } = options;
  let told = "";
  let isSampling = false;
  let isDiskLow = false;
  const timer = driver.kind === "none" ? setInterval(() => void sample(), HOST_EVERY_MS) : null;
  const unsubscribe = driver.onSample(() => void sample());

  async function facts(): Promise<{ facts: HostFacts; gpus: GpuFacts[] }> {
    const now = { facts: await options.readFacts(), gpus: driver.list() };
    told = JSON.stringify(now);
    return now;
  }

  async function sample(): Promise<void> {
    if (isSampling) return;
    isSampling = true;
    try {
      const snapshot = driver.sample();
      const host = await sampler.sample();
      send({ type: "telemetry", sampledAgoMs: snapshot?.ageMs ?? 0, gpus: snapshot?.gpus ?? [], host });
      tellDisk(host.diskFreeMib);
      await tellChanges();
    } finally {
      isSampling = false;
    }
  }

  /** Once, and again only after there was room again. */
  function tellDisk(freeMib: number | null): void {
    const isLow = freeMib !== null && freeMib < DISK_LOW_MIB;
    if (isLow && !isDiskLow) options.onDiskLow(freeMib);
    isDiskLow = isLow;
  }

  async function tellChanges(): Promise<void> {
    const before = told;
    const now = await facts();
    if (before !== "" && before !== told && !send({ type: "facts", ...now })) told = before;
  }

  return {
    facts,
    close() {
      if (timer !== null) clearInterval(timer);
      unsubscribe();
    },
  };
}
