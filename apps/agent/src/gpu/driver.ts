/**
 * The one face of every GPU driver of the agent. The driver samples by itself at its own pace; readers take the last
 * sample, which says its age. No driver ever throws for a failing device: `problem` says in words what is wrong.
 */
import type { GpuFacts, GpuSample, HostFacts } from "@nexus/shared/protocol/messages";

export type GpuDriver = {
  kind: HostFacts["gpuDriver"];
  /** Every device ever seen since the start, lost ones too (not schedulable). Cards in MIG mode and their instances. */
  list(): GpuFacts[];
  /** The last sample with its age now; null before the first. */
  sample(): GpuSnapshot | null;
  /** Why data is missing or partly missing, for people; null when all is well. */
  problem(): string | null;
  /** "590.48.01 (CUDA 13.1)" */
  driverVersion(): string | null;
  /** Called after each new sample and each change of `list`, `problem` or `driverVersion`. @returns unsubscribe */
  onSample(listener: () => void): () => void;
  /** Takes a sample that begins after this call, as at a job's end. Never rejects: a failure leaves the old sample. */
  refresh(): Promise<void>;
  /** Who holds which device now, as the supervisor knows it. Only simulated devices need to be told. */
  setHolders(holders: readonly GpuHolder[]): void;
  close(): Promise<void>;
};

export type GpuSnapshot = {
  /** Since the sample was complete, on this machine's monotonic clock. */
  ageMs: number;
  /** Older than two intervals: nothing may be placed on its word. */
  stale: boolean;
  gpus: GpuSample[];
};

export type GpuHolder = {
  uuid: string;
  attempt: string;
  pid: number | null;
  /** What the job asked for; null when it has the device to itself. */
  memoryMib: number | null;
};

/** A sample older than this many intervals is stale. */
const STALE_INTERVALS = 2;

export function isStale(ageMs: number, intervalMs: number): boolean {
  return ageMs > STALE_INTERVALS * intervalMs;
}

/** A machine without GPUs, by its nature or by its owner's word. */
export function createNoneDriver(problem: string | null): GpuDriver {
  return {
    kind: "none",
    list: () => [],
    sample: () => null,
    problem: () => problem,
    driverVersion: () => null,
    onSample: () => () => undefined,
    refresh: async () => undefined,
    setHolders: () => undefined,
    close: async () => undefined,
  };
}
