/** How long one plan takes: `node bench/scheduler-plan.ts`. 10,000 waiting jobs of many shapes, 200 targets of 8 GPUs. */
import { plan } from "../apps/web/src/server/core/scheduler/plan.ts";
import {
  type ActiveJob,
  DEFAULT_POLICY,
  type QueuedJob,
} from "../apps/web/src/server/core/scheduler/snapshot.ts";
import {
  active,
  fleet,
  job,
  NOW_MS,
  target,
} from "../apps/web/src/server/core/scheduler/testing/fleet-builder.ts";

const TARGETS = 200;
const GPUS = 8;
const JOBS = 10_000;
const ROUNDS = 30;

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

const targets = Array.from({ length: TARGETS }, (_, t) =>
  target(t + 1, GPUS, { labels: { zone: `z${t % 10}` } }),
);
const full: ActiveJob[] = targets.flatMap((one) =>
  one.gpus.map((gpu) =>
    active(`j_run${gpu.id}`, [{ gpuId: gpu.id, memoryMib: null }], {
      targetId: one.id,
      timeoutMs: 7_200_000,
    }),
  ),
);

function measure(name: string, over: Parameters<typeof fleet>[0]): void {
  const snapshot = fleet({ targets, ...over });
  const times: number[] = [];
  let placed = 0;
  for (let round = 0; round < ROUNDS; round += 1) {
    const startMs = performance.now();
    placed = plan(snapshot, NOW_MS, DEFAULT_POLICY).placements.length;
    times.push(performance.now() - startMs);
  }
  times.sort((a, b) => a - b);
  const at = (share: number) => (times[Math.floor(times.length * share)] ?? 0).toFixed(1);
  process.stdout.write(
    `${name.padEnd(44)} p50 ${at(0.5)} ms  p90 ${at(0.9)} ms  max ${at(0.999)} ms  (${placed} placed)\n`,
  );
}

measure("empty fleet, one shape", { queued: jobs(1) });
measure("empty fleet, 60 shapes", { queued: jobs(60) });
measure("full fleet, one shape", { queued: jobs(1), active: full });
measure("full fleet, 60 shapes", { queued: jobs(60), active: full });
measure("half full, 60 shapes", { queued: jobs(60), active: full.filter((_, i) => i % 2 === 0) });
measure("full fleet, jobs without GPUs", {
  queued: Array.from({ length: JOBS }, (_, i) => job(`j_${i}`, { gpus: 0 })),
  active: full,
});
