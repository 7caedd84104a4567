/**
 * What the node measures, at the pace of its GPU driver, or every few seconds without one. Owns: the timer, the facts that were
 * told last. Samples are for now: what cannot be sent at once is dropped.
 */
import { type DiskRoom, isDiskLow } from "@nexus/shared/low-disk";
import type { AgentMessage, GpuFacts, HostFacts } from "@nexus/shared/protocol/messages";
import type { GpuDriver } from "./gpu/driver.ts";
import type { HostSampler } from "./host/sample.ts";

export type TelemetryOptions = {
  driver: GpuDriver;
  sampler: HostSampler;
  readFacts(): Promise<HostFacts>;
  send(message: AgentMessage): boolean;
  onDiskLow(room: DiskRoom): void;
};

export type Telemetry = {
  facts(): Promise<{ facts: HostFacts; gpus: GpuFacts[] }>;
  close(): void;
};

/** Without GPUs nothing changes fast enough to be worth more. */
const HOST_EVERY_MS = 5_000;

export function createTelemetry(options: TelemetryOptions): Telemetry {
  const { driver, sampler, send } = options;
  let told = "";
  let isSampling = false;
  let isLow = false;
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
      tellDisk({ freeMib: host.diskFreeMib, totalMib: host.diskTotalMib ?? null });
      await tellChanges();
    } finally {
      isSampling = false;
    }
  }

  /** Once, and again only after there was room again. */
  function tellDisk({ freeMib, totalMib }: { freeMib: number | null; totalMib: number | null }): void {
    if (freeMib === null) return;
    const wasLow = isLow;
    isLow = isDiskLow({ freeMib, totalMib }, wasLow);
    if (isLow && !wasLow) options.onDiskLow({ freeMib, totalMib });
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
