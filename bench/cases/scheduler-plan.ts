/** How long one plan takes: 10,000 waiting jobs of many shapes, 200 targets of 8 GPUs. The planner is pure, so this is all of it. */
import { plan } from "../../apps/web/src/server/core/scheduler/plan.ts";
import {
  type ActiveJob,
  DEFAULT_POLICY,
  type QueuedJob,
} from "../../apps/web/src/server/core/scheduler/snapshot.ts";
import {
  active,
  fleet,
  job,
  NOW_MS,
  target,
} from "../../apps/web/src/server/core/scheduler/testing/fleet-builder.ts";
import type { BenchCase } from "../bench-case.ts";

const TARGETS = 200;
const GPUS = 8;
const JOBS = 10_000;
const PLANS = 10;

function jobs(shapes: number): QueuedJob[] {
  return Array.from({ length: JOBS }, (_, i) => {
    const kind = i % shapes;
    return job(`j_${i}`, {
      userId: `u_${i % 40}`,
      gpus: [1, 2, 4, 8][kind % 4] ?? 1,
      gpuMemoryMib: kind % 3 === 1 ? 1024 * (1 + kind) : undefined,
      labels: kind % 5 === 4 ? { zone: `z${kind % 10}` } : {},
      timeoutMs: kind % 2 === 0 ? 3_600_000 : null,
      priority: kind % 3,
    });
  });
}

const targets = () =>
  Array.from({ length: TARGETS }, (_, t) => target(t + 1, GPUS, { labels: { zone: `z${t % 10}` } }));

function allBusy(): ActiveJob[] {
  return targets().flatMap((one) =>
    one.gpus.map((gpu) =>
      active(`j_run${gpu.id}`, [{ gpuId: gpu.id, memoryMib: null }], {
        targetId: one.id,
        timeoutMs: 7_200_000,
      }),
    ),
  );
}

function planning(what: string, make: () => Parameters<typeof fleet>[0]): BenchCase {
  return {
    name: `scheduler, 10k jobs: ${what}`,
    unit: "ms",
    async run() {
      const snapshot = fleet({ targets: targets(), ...make() });
      return Array.from({ length: PLANS }, () => {
        const startedAt = performance.now();
        plan(snapshot, NOW_MS, DEFAULT_POLICY);
        return performance.now() - startedAt;
      });
    },
  };
}

export const schedulerPlan: BenchCase[] = [
  planning("empty fleet, one shape", () => ({ queued: jobs(1) })),
  planning("empty fleet, 60 shapes", () => ({ queued: jobs(60) })),
  planning("full fleet, one shape", () => ({ queued: jobs(1), active: allBusy() })),
  planning("full fleet, 60 shapes", () => ({ queued: jobs(60), active: allBusy() })),
  planning("half full, 60 shapes", () => ({
    queued: jobs(60),
    active: allBusy().filter((_, i) => i % 2 === 0),
  })),
];
