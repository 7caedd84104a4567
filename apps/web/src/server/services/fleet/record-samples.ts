/**
 * Telemetry history: live samples thinned to one per GPU and interval, written for the whole fleet in one statement.
 * Owns: which GPUs have a sample to store. Invariants: a GPU is stored at most once an interval; a failed write loses these
 * points and nothing else.
 */
import { type GpuSampleRow, insertGpuSamples } from "../../db/queries/insert-gpu-samples.ts";
import type { ServiceContext } from "../service-context.ts";
import type { LiveTarget } from "./live-fleet.ts";

export type RecordSamples = {
  /** A target has new samples. */
  note(target: LiveTarget): void;
  /** Writes what is due. */
  flush(): Promise<void>;
};

export function createRecordSamples(ctx: ServiceContext): RecordSamples {
  const due = new Map<number, GpuSampleRow>();
  return {
    note(target) {
      const nowMs = ctx.clock.nowMs();
      for (const gpu of target.gpus.values()) {
        const { sample, sampledAtMs } = gpu;
        if (!sample || sampledAtMs === null || nowMs - gpu.storedAtMs < ctx.timing.sampleEveryMs) continue;
        if (sampledAtMs <= gpu.storedAtMs) continue;
        gpu.storedAtMs = nowMs;
        const { memoryUsedMib, utilizationPct, powerW, temperatureC } = sample;
        due.set(gpu.id, { gpuId: gpu.id, sampledAtMs, memoryUsedMib, utilizationPct, powerW, temperatureC });
      }
    },
    async flush() {
      if (due.size === 0) return;
      const rows = [...due.values()];
      due.clear();
      await insertGpuSamples(ctx.sql, rows);
    },
  };
}
