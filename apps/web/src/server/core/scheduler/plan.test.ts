import { explainReason, type WaitingReason } from "@nexus/shared/scheduler/reason";
import { describe, expect, test } from "vitest";
import { plan } from "./plan.ts";
import { DEFAULT_POLICY, type Plan, type TeamSnapshot } from "./snapshot.ts";
import {
  active,
  fleet,
  GIB,
  gpu,
  job,
  NOW_MS,
  queue,
  target,
  team,
  use,
  whole,
} from "./testing/fleet-builder.ts";

const policy = DEFAULT_POLICY;
const planOf = (over: Partial<TeamSnapshot>): Plan => plan(fleet(over), NOW_MS, policy);
const placed = (result: Plan) =>
  result.placements.map((p) => [p.job, p.targetId, p.gpus.map((g) => g.gpuId)]);
const reason = (result: Plan, id: string) => result.reasons.get(id);
const told = (result: Plan, id: string) => {
  const found = reason(result, id);
  return found && explainReason(found);
};

describe("placing", () => {
  test("[S1] a GPU held whole is given to no other job", () => {
    const result = planOf({
      targets: [target(1, 2)],
      active: [active("j_run", whole(100))],
      queued: [job("j_a"), job("j_b")],
    });
    expect(placed(result)).toEqual([["j_a", 1, [101]]]);
    expect(reason(result, "j_b")?.code).toBe("busy");
  });

  test("[S1] a shared GPU is not given whole, and a whole one is not shared", () => {
    const result = planOf({
      targets: [target(1, 2)],
      active: [active("j_s", [{ gpuId: 100, memoryMib: GIB }]), active("j_w", whole(101))],
      queued: [job("j_whole"), job("j_share", { gpuMemoryMib: 10 * GIB, createdAtMs: 1 })],
    });
    expect(placed(result)).toEqual([["j_share", 1, [100]]]);
  });

  test("[S2] jobs that name memory share a GPU while the sum fits, filling the fullest first", () => {
    const queued = Array.from({ length: 5 }, (_, i) => job(`j_${i}`, { gpuMemoryMib: 30 * GIB }));
    const result = planOf({ targets: [target(1, 2)], queued });
    expect(placed(result)).toEqual([
      ["j_0", 1, [100]],
      ["j_1", 1, [100]],
      ["j_2", 1, [101]],
      ["j_3", 1, [101]],
    ]);
  });

  test("[S2] a job that uses more than it named counts for what it uses", () => {
    const greedy = gpu(100, { use: use({ attemptMib: new Map([["a_j_run", 70 * GIB]]) }) });
    const result = planOf({
      targets: [target(1, [greedy])],
      active: [active("j_run", [{ gpuId: 100, memoryMib: 20 * GIB }])],
      queued: [job("j_a", { gpuMemoryMib: 20 * GIB })],
    });
    expect(reason(result, "j_a")?.code).toBe("busy");
  });

  test("[S5] labels, the named target, cordon and connection are obeyed", () => {
    const result = planOf({
      targets: [
        target(1, 1, { labels: { role: "train" } }),
        target(2, 1, { labels: { role: "infer" } }),
        target(3, 1, { cordoned: true }),
        target(4, 1, { connected: false }),
      ],
      queued: [
        job("j_label", { labels: { role: "infer" } }),
        job("j_named", { wanted: { id: 1, name: "node1" } }),
        job("j_cordoned", { wanted: { id: 3, name: "node3" } }),
        job("j_offline", { wanted: { id: 4, name: "node4" } }),
      ],
    });
    expect(placed(result)).toEqual([
      ["j_label", 2, [200]],
      ["j_named", 1, [100]],
    ]);
    expect(reason(result, "j_cordoned")).toEqual({ code: "cordoned", targets: ["node3"] });
    expect(reason(result, "j_offline")).toEqual({ code: "offline", targets: ["node4"] });
  });

  test("[S19] [S23] nothing is placed on a target that is held, each waiting job says why, and time alone ends a pause", () => {
    const fault = { code: "disk_full", message: "its disk is full; free space there", sinceMs: 0 };
    const held = target(1, 1, { hold: { ...fault, untilMs: null } });
    const paused = target(2, 1, { hold: { ...fault, untilMs: NOW_MS + 4000 } });
    const queued = [job("j_a"), job("j_named", { wanted: { id: 1, name: "node1" } })];
    const both = planOf({ targets: [paused, held], queued });
    expect(both.placements).toEqual([]);
    expect(reason(both, "j_a")).toEqual({
      code: "held",
      targets: [
        { target: "node1", fault: "disk_full", message: fault.message },
        { target: "node2", fault: "disk_full", message: fault.message },
      ],
    });
    expect(explainReason(both.reasons.get("j_named") as WaitingReason)).toBe(
      "node node1 refuses starts: its disk is full; free space there",
    );
    expect(both.wakeAtMs).toBe(NOW_MS + 4000);
    const over = { ...paused, hold: { ...fault, untilMs: NOW_MS } };
    expect(placed(planOf({ targets: [held, over], queued }))).toEqual([["j_a", 2, [200]]]);
    const busy = planOf({ targets: [held, target(3, 1)], queued: [job("j_wide"), job("j_b")] });
    expect(reason(busy, "j_b")).toMatchObject({ code: "busy", best: { target: "node3" } });
  });

  test("[S5] a job stays in its team's fleet", () => {
    const result = plan(
      {
        teams: [
          team({ teamId: "tm_1", targets: [], queued: [job("j_a")] }),
          team({ teamId: "tm_2", targets: [target(1, 8)] }),
        ],
      },
      NOW_MS,
      policy,
    );
    expect(result.placements).toEqual([]);
    expect(reason(result, "j_a")).toEqual({ code: "no_targets" });
  });

  test("[S6] blocked and missing GPUs and MIG parents are skipped, MIG instances are not", () => {
    const gpus = [
      gpu(100, { blocked: true }),
      gpu(101, { missing: true }),
      gpu(102, { schedulable: false }),
      gpu(103, { name: "NVIDIA H100 MIG 1g.10gb", memoryTotalMib: 10 * GIB }),
    ];
    const result = planOf({ targets: [target(1, gpus)], queued: [job("j_a"), job("j_b")] });
    expect(placed(result)).toEqual([["j_a", 1, [103]]]);
  });

  test("[S7] foreign memory keeps whole-GPU jobs away, and sharing jobs only when too little is left", () => {
    const busy = gpu(100, { use: use({ foreignMib: 60 * GIB, foreignUsers: ["carol"] }) });
    const result = planOf({
      targets: [target(1, [busy])],
      queued: [
        job("j_whole"),
        job("j_big", { gpuMemoryMib: 30 * GIB }),
        job("j_small", { gpuMemoryMib: 20 * GIB }),
      ],
    });
    expect(placed(result)).toEqual([["j_small", 1, [100]]]);
    const small = planOf({ targets: [target(1, [busy])], queued: [job("j_whole")] });
    expect(reason(small, "j_whole")).toEqual({ code: "foreign", target: "node1", users: ["carol"] });
  });

  test("[S7] what an attempt uses without a lease is in the way, unless the sample is older than its end", () => {
    const attemptMib = new Map([["a_j_gone", 60 * GIB]]);
    const queued = [job("j_whole"), job("j_small", { gpuMemoryMib: 20 * GIB })];
    const left = gpu(100, { use: use({ attemptMib }) });
    const result = planOf({ targets: [target(1, [left])], queued });
    expect(placed(result)).toEqual([["j_small", 1, [100]]]);
    const users = ["what is left of a_j_gone"];
    const alone = planOf({ targets: [target(1, [left])], queued: queued.slice(0, 1) });
    expect(reason(alone, "j_whole")).toEqual({ code: "foreign", target: "node1", users });
    const settling = gpu(100, { use: use({ attemptMib }), freedAtMs: NOW_MS });
    expect(placed(planOf({ targets: [target(1, [settling])], queued }))).toEqual([["j_whole", 1, [100]]]);
  });

  test("[S7] a little foreign memory, such as a desktop's, is no obstacle", () => {
    const desktop = gpu(100, { use: use({ foreignMib: policy.foreignMibMax }) });
    expect(placed(planOf({ targets: [target(1, [desktop])], queued: [job("j_a")] }))).toHaveLength(1);
  });

  test("[S8] a real GPU without a fresh sample is not placed on; simulated GPUs and CPU jobs are unaffected", () => {
    const old = use({ sampledAtMs: NOW_MS - policy.sampleAgeMsMax - 1 });
    const real = [gpu(100, { use: old }), gpu(101, { use: null })];
    const queued = [job("j_gpu"), job("j_cpu", { gpus: 0 })];
    const result = planOf({ targets: [target(1, real)], queued });
    expect(placed(result)).toEqual([["j_cpu", 1, []]]);
    expect(reason(result, "j_gpu")).toEqual({ code: "stale", targets: ["node1"] });
    const simulated = target(1, [gpu(100, { use: null, simulated: true })]);
    expect(placed(planOf({ targets: [simulated], queued }))).toHaveLength(2);
  });

  test("[S9] count, memory and part of the model's name are obeyed", () => {
    const result = planOf({
      targets: [
        target(1, [gpu(100, { name: "NVIDIA A100-SXM4-40GB", memoryTotalMib: 40 * GIB })]),
        target(2, 2),
      ],
      queued: [
        job("j_two", { gpus: 2 }),
        job("j_model", { gpuModel: "A100" }),
        job("j_memory", { gpuMemoryMib: 60 * GIB }),
      ],
    });
    expect(placed(result)).toEqual([
      ["j_two", 2, [200, 201]],
      ["j_model", 1, [100]],
    ]);
    expect(reason(result, "j_memory")?.code).toBe("busy");
  });

  test("[S10] jobs without GPUs spread, prefer machines without GPUs, and are bounded on each target", () => {
    const tight = { ...policy, cpuJobsPerTargetMin: 2, cpuJobsPerCpu: 0 };
    const queued = Array.from({ length: 7 }, (_, i) => job(`j_${i}`, { gpus: 0 }));
    const snapshot = fleet({ targets: [target(1, 1), target(2, 0), target(3, 0)], queued });
    const result = plan(snapshot, NOW_MS, tight);
    expect(result.placements.map((p) => p.targetId)).toEqual([2, 3, 2, 3, 1, 1]);
    expect(reason(result, "j_6")).toMatchObject({ code: "busy", best: { free: 0, total: 2 } });
  });

  test("[S11] a narrow job takes the tightest place and leaves the empty machine to wide ones", () => {
    const result = planOf({
      targets: [target(1, 8), target(2, 2)],
      active: [active("j_run", whole(200), { targetId: 2 })],
      queued: [job("j_narrow"), job("j_wide", { gpus: 8 })],
    });
    expect(placed(result)).toEqual([
      ["j_narrow", 2, [201]],
      ["j_wide", 1, [100, 101, 102, 103, 104, 105, 106, 107]],
    ]);
  });
});

describe("order", () => {
  const oneGpu = [target(1, 1)];

  test("[S12] queue priority goes before job priority, and job priority before age", () => {
    const result = planOf({
      targets: oneGpu,
      queues: [queue(), queue({ id: 2, name: "urgent", priority: 10 })],
      queued: [
        job("j_old", { createdAtMs: 1 }),
        job("j_high", { priority: 5 }),
        job("j_urgent", { queueId: 2, priority: -5 }),
      ],
    });
    expect(placed(result)).toEqual([["j_urgent", 1, [100]]]);
    expect(result.line).toEqual(["j_high", "j_old"]);
  });

  test("[S13] of equal priorities, who used less goes first; held GPUs count at once", () => {
    const usage = [
      { userId: "u_alice", userName: "alice", gpuMs: 5_000_000 },
      { userId: "u_bob", userName: "bob", gpuMs: 1_000_000 },
    ];
    const queued = [job("j_a"), job("j_b", { userId: "u_bob" })];
    expect(placed(planOf({ targets: oneGpu, queued, usage }))).toEqual([["j_b", 1, [100]]]);
    const held = planOf({
      targets: [target(1, 9)],
      queued,
      usage,
      active: [active("j_run", whole(100, 101, 102, 103, 104, 105, 106, 107))],
    });
    expect(held.placements[0]?.job).toBe("j_a");
  });

  test("[S13] users who used the same take turns, each one's jobs by age", () => {
    const queued = [
      job("j_a1", { createdAtMs: 1 }),
      job("j_a2", { createdAtMs: 2 }),
      job("j_a3", { createdAtMs: 3 }),
      job("j_b1", { userId: "u_bob", createdAtMs: 10 }),
      job("j_b2", { userId: "u_bob", createdAtMs: 11 }),
    ];
    const result = planOf({ targets: [target(1, 1, { connected: false })], queued });
    expect(result.line).toEqual(["j_a1", "j_b1", "j_a2", "j_b2", "j_a3"]);
  });

  test("[S14] a paused queue starts nothing, a limited one no more than its limit", () => {
    const result = planOf({
      targets: [target(1, 8)],
      queues: [queue({ runningMax: 2 }), queue({ id: 2, name: "night", paused: true })],
      active: [active("j_run", whole(100))],
      queued: [job("j_a"), job("j_b"), job("j_night", { queueId: 2 })],
    });
    expect(placed(result)).toEqual([["j_a", 1, [101]]]);
    expect(reason(result, "j_b")).toMatchObject({ code: "queue_limit", of: "jobs", limit: 2, person: null });
    expect(told(result, "j_b")).toBe(
      "queue default runs its limit of 2 jobs; held by bob's job j_run and alice's j_a",
    );
    expect(reason(result, "j_night")).toEqual({ code: "queue_paused", queue: "night" });
  });

  test("[S14] a job in back-off waits for its moment, and the plan names it", () => {
    const backoff = { untilMs: NOW_MS + 5000, because: "the node refused it" };
    const result = planOf({ targets: oneGpu, queued: [job("j_a", { backoff })] });
    expect(reason(result, "j_a")).toEqual({ code: "backoff", ...backoff });
    expect(result.wakeAtMs).toBe(NOW_MS + 5000);
  });
});

describe("limits of a queue", () => {
  const targets = [target(1, 8)];
  const running = active("j_run", whole(100, 101), { timeoutMs: 360_000 });

  test("[S26] its jobs hold no more GPUs at once than it allows, a share of one counts as one", () => {
    const result = planOf({
      targets,
      queues: [queue({ name: "nightly", gpusMax: 4 })],
      active: [running],
      queued: [
        job("j_a", { createdAtMs: 1 }),
        job("j_share", { gpuMemoryMib: GIB, createdAtMs: 2 }),
        job("j_b", { createdAtMs: 3 }),
        job("j_cpu", { gpus: 0, createdAtMs: 4 }),
      ],
    });
    expect(placed(result).map(([id]) => id)).toEqual(["j_a", "j_share", "j_cpu"]);
    expect(told(result, "j_b")).toBe(
      "queue nightly holds its limit of 4 GPUs; bob's j_run ends within 5 min",
    );
  });

  test("[S26] a person has no more than the queue allows a person, and others go on", () => {
    const result = planOf({
      targets,
      queues: [queue({ name: "nightly", userRunningMax: 2, userGpusMax: 3 })],
      active: [running],
      queued: [
        job("j_b1", { userId: "u_bob", gpus: 2, createdAtMs: 1 }),
        job("j_b2", { userId: "u_bob", gpus: 0, createdAtMs: 2 }),
        job("j_b3", { userId: "u_bob", gpus: 0, createdAtMs: 3 }),
        job("j_a", { gpus: 2, createdAtMs: 4 }),
      ],
    });
    expect(placed(result).map(([id]) => id)).toEqual(["j_a", "j_b2"]);
    expect(told(result, "j_b1")).toBe(
      "needs 2 GPUs; bob holds 2 of the limit of 3 GPUs a person in queue nightly; bob's j_run ends within 5 min",
    );
    expect(told(result, "j_b3")).toContain("bob runs the limit of 2 jobs a person in queue nightly");
  });

  test("[S27] what is wider than its queue allows is told so, and keeps nobody out", () => {
    const result = planOf({
      targets,
      queues: [queue({ name: "nightly", gpusMax: 2 })],
      queued: [job("j_wide", { gpus: 4, createdAtMs: 1 }), job("j_a", { createdAtMs: 2 })],
    });
    expect(placed(result).map(([id]) => id)).toEqual(["j_a"]);
    expect(told(result, "j_wide")).toBe("needs 4 GPUs; queue nightly allows 2 at once");
    const none = planOf({ targets, queues: [queue({ runningMax: 0 })], queued: [job("j_a")] });
    expect(told(none, "j_a")).toBe("queue default lets no job start: limit of 0 jobs");
  });

  test("[S27] a wide job that only the limit stops is next, but for jobs that are gone by then", () => {
    const result = planOf({
      targets,
      queues: [queue({ name: "nightly", gpusMax: 4 }), queue({ id: 2, name: "other" })],
      active: [running],
      queued: [
        job("j_wide", { gpus: 4, createdAtMs: 1 }),
        job("j_long", { createdAtMs: 2 }),
        job("j_short", { createdAtMs: 3, timeoutMs: 60_000 }),
        job("j_other", { queueId: 2, createdAtMs: 4 }),
      ],
    });
    expect(placed(result).map(([id]) => id)).toEqual(["j_short", "j_other"]);
    expect(told(result, "j_long")).toBe(
      "queue nightly keeps the rest of its limit of 4 GPUs for j_wide, which is ahead",
    );
    expect(result.reservations.get("tm_1")).toEqual([
      { job: "j_wide", order: 1, targetId: null, gpuIds: [] },
    ]);
  });

  test("[S27] a wide job that nothing could run keeps no part of the limit", () => {
    const result = planOf({
      targets,
      queues: [queue({ gpusMax: 4 })],
      active: [running],
      queued: [job("j_wide", { gpus: 4, labels: { role: "none" }, createdAtMs: 1 }), job("j_a")],
    });
    expect(placed(result).map(([id]) => id)).toEqual(["j_a"]);
  });
});

describe("the selector of a queue", () => {
  const research = (selector: {
    labels?: Record<string, string>;
    targets?: { id: number; name: string }[];
  }) => queue({ name: "research", selector: { labels: {}, targets: [], ...selector } });
  const targets = [
    target(1, 1, { labels: { role: "train", rack: "a" } }),
    target(2, 1, { labels: { role: "infer" } }),
    target(3, 1),
  ];

  test("[S28] its jobs run only where the selector and their own labels both allow", () => {
    const byLabel = planOf({
      targets,
      queues: [research({ labels: { role: "train" } })],
      queued: [job("j_a"), job("j_b"), job("j_rack", { labels: { rack: "b" } })],
    });
    expect(placed(byLabel)).toEqual([["j_a", 1, [100]]]);
    const named = { targets: [2, 3].map((id) => ({ id, name: `node${id}` })) };
    const byName = planOf({
      targets,
      queues: [research(named)],
      queued: [job("j_a"), job("j_b"), job("j_c")],
    });
    expect(placed(byName).map(([, at]) => at)).toEqual([2, 3]);
    const both = planOf({
      targets,
      queues: [research({ ...named, labels: { role: "infer" } })],
      queued: [job("j_a", { wanted: { id: 3, name: "node3" } }), job("j_b")],
    });
    expect(placed(both)).toEqual([["j_b", 2, [200]]]);
  });

  test("[S28] no GPU is kept for a job outside its queue's selector", () => {
    const result = planOf({
      targets,
      queues: [research({ labels: { role: "train" } }), queue({ id: 2 })],
      active: [active("j_run", whole(100))],
      queued: [job("j_a", { createdAtMs: 1 }), job("j_free", { queueId: 2 })],
      reservations: [{ job: "j_a", order: 1, targetId: 2, gpuIds: [200] }],
    });
    expect(placed(result)).toEqual([["j_free", 2, [200]]]);
    expect(result.reservations.get("tm_1")).toMatchObject([{ job: "j_a", targetId: 1 }]);
  });

  test("[S29] a job that its queue's selector keeps from places is told where the queue runs", () => {
    const over = (selector: Parameters<typeof research>[0], of: Parameters<typeof job>[1] = {}) =>
      told(
        planOf({
          targets,
          queues: [research(selector)],
          active: [active("j_run", whole(100), { timeoutMs: 360_000 })],
          queued: [job("j_a", of)],
        }),
        "j_a",
      );
    expect(over({ labels: { role: "train" } })).toBe(
      "needs 1 GPU; node1 has 0 of 1 free; held by bob's job j_run (ends within 5 min); queue research runs only on role=train",
    );
    expect(over({ labels: { role: "gone" } })).toBe(
      "queue research runs only on role=gone; no target matches that",
    );
    expect(
      over({ targets: [{ id: 2, name: "was" }], labels: { role: "infer" } }, { labels: { rack: "a" } }),
    ).toBe("queue research runs only on node2 with role=infer; no target there matches rack=a");
    expect(over({ targets: [{ id: 9, name: "left" }] })).toBe(
      "queue research runs only on left; no target matches that",
    );
    // Where the selector excludes nothing that the job could use, it is no part of the answer.
    expect(over({ labels: { role: "train" } }, { labels: { rack: "a" } })).not.toContain("research");
  });
});

describe("reservations", () => {
  const half = {
    targets: [target(1, 2)],
    active: [active("j_run", whole(100), { sinceMs: NOW_MS, timeoutMs: 600_000 })],
  };
  const wide = job("j_wide", { gpus: 2, createdAtMs: 1 });

  test("[S16] a job behind a reservation uses kept GPUs only when it surely ends in time", () => {
    const result = planOf({
      ...half,
      queued: [
        wide,
        job("j_long", { timeoutMs: 600_001, createdAtMs: 2 }),
        job("j_endless", { createdAtMs: 3 }),
        job("j_short", { timeoutMs: 590_000, graceMs: 10_000, createdAtMs: 4 }),
      ],
    });
    expect(placed(result)).toEqual([["j_short", 1, [101]]]);
    expect(reason(result, "j_wide")).toMatchObject({
      code: "busy",
      best: { target: "node1", free: 0, total: 2 },
    });
    expect(result.reservations.get("tm_1")?.[0]).toEqual({
      job: "j_wide",
      order: 1,
      targetId: 1,
      gpuIds: [101, 100],
    });
  });

  test("[S22] who only a reservation keeps waiting is told for whom", () => {
    const result = planOf({ ...half, queued: [wide, job("j_endless")] });
    expect(reason(result, "j_endless")).toEqual({ code: "reserved", for: "j_wide", target: "node1" });
  });

  test("[S17] a reservation stays though another place looks as good, and though a lighter user comes", () => {
    const targets = [target(1, 2), target(2, 2)];
    const running = [active("j_r1", whole(100)), active("j_r2", whole(200), { sinceMs: NOW_MS - 1 })];
    const reservations = [{ job: "j_wide", order: 1, targetId: 1, gpuIds: [100, 101] }];
    const result = planOf({
      targets,
      active: running,
      reservations,
      usage: [{ userId: "u_alice", userName: "alice", gpuMs: 1e9 }],
      queued: [wide, job("j_light", { userId: "u_carol" })],
    });
    expect(placed(result)).toEqual([["j_light", 2, [201]]]);
    expect(result.reservations.get("tm_1")).toEqual(reservations);
  });

  test("[S17] it moves to a place that is surely free earlier", () => {
    const ends = (timeoutMs: number) => ({ sinceMs: NOW_MS, timeoutMs });
    const result = planOf({
      targets: [target(1, 2), target(2, 2)],
      active: [active("j_r1", whole(100)), active("j_r2", whole(200), ends(60_000))],
      reservations: [{ job: "j_wide", order: 1, targetId: 1, gpuIds: [100, 101] }],
      queued: [wide],
    });
    expect(result.reservations.get("tm_1")).toEqual([
      { job: "j_wide", order: 1, targetId: 2, gpuIds: [201, 200] },
    ]);
  });

  test("[S16] a wide job of a higher band takes over what a lower one kept", () => {
    const result = planOf({
      ...half,
      reservations: [{ job: "j_wide", order: 1, targetId: 1, gpuIds: [100, 101] }],
      queued: [wide, job("j_boss", { gpus: 2, priority: 9 })],
    });
    expect(result.reservations.get("tm_1")?.map((kept) => kept.job)).toEqual(["j_boss", "j_wide"]);
    expect(
      placed(planOf({ ...half, active: [], queued: [wide, job("j_boss", { gpus: 2, priority: 9 })] })),
    ).toEqual([["j_boss", 1, [100, 101]]]);
  });
});

describe("reasons", () => {
  test("[S20] a waiting job is told what is free, who holds the rest, and until when", () => {
    const result = planOf({
      targets: [target(1, 2)],
      active: [
        active("j_long", whole(100)),
        active("j_soon", whole(101), { userName: "carol", sinceMs: NOW_MS, timeoutMs: 720_000 }),
      ],
      queued: [job("j_a", { gpus: 2, gpuModel: "H100" })],
    });
    const why = reason(result, "j_a");
    expect(why).toEqual({
      code: "busy",
      need: { gpus: 2, gpuMemoryMib: null, gpuModel: "h100" },
      best: { target: "node1", free: 0, total: 2 },
      holders: [
        { job: "j_soon", user: "carol", target: "node1", endsInMs: 720_000, isLatest: true },
        { job: "j_long", user: "bob", target: "node1", endsInMs: null, isLatest: false },
      ],
      moreHolders: 0,
    });
    expect(why && explainReason(why)).toBe(
      "needs 2 h100 GPUs; node1 has 0 of 2 free; held by carol's job j_soon (ends within 12 min) and bob's j_long",
    );
  });

  test("[S24] three holders are named, the likely soonest first, and the rest counted", () => {
    const runs = [600_000, 620_000, 660_000];
    const result = planOf({
      targets: [target(1, 6)],
      active: [
        active("j_new", whole(100)),
        active("j_usual", whole(101), { userName: "carol", sinceMs: NOW_MS - 60_000, pastRunsMs: runs }),
        active("j_timed", whole(102), { sinceMs: NOW_MS, timeoutMs: 7_200_000, pastRunsMs: [1, 2] }),
        active("j_late", whole(103), { sinceMs: NOW_MS - 900_000, pastRunsMs: runs }),
        active("j_cut", whole(104), { sinceMs: NOW_MS, timeoutMs: 60_000, pastRunsMs: runs }),
      ],
      queued: [job("j_a", { gpus: 6 })],
    });
    const why = reason(result, "j_a");
    expect(why && explainReason(why)).toBe(
      "needs 6 GPUs; node1 has 1 of 6 free; held by bob's job j_cut (ends within 1 min), carol's j_usual (in about 9 min), bob's j_timed (within 2 h) and 2 more",
    );
  });

  test("[S20] a silent node's job has no known end", () => {
    const silent = active("j_run", whole(100), { timeoutMs: 1000, reachable: false });
    const result = planOf({ targets: [target(1, 1)], active: [silent], queued: [job("j_a")] });
    expect(reason(result, "j_a")).toMatchObject({ holders: [{ job: "j_run", endsInMs: null }] });
  });

  test("[S21] what no target matches, or could ever satisfy, is told", () => {
    const result = planOf({
      targets: [target(1, 2), target(2, 4, { connected: false })],
      queued: [
        job("j_label", { labels: { role: "infer", zone: "b" } }),
        job("j_wide", { gpus: 16 }),
        job("j_model", { gpuModel: "b200" }),
      ],
    });
    expect(reason(result, "j_label")).toEqual({ code: "no_match", wanted: "role=infer,zone=b" });
    expect(reason(result, "j_wide")).toMatchObject({
      code: "impossible",
      best: { target: "node2", free: 4, total: 4 },
    });
    expect(reason(result, "j_model")).toMatchObject({ code: "impossible", best: null });
    expect(reason(planOf({ queued: [job("j_a")] }), "j_a")).toEqual({ code: "no_targets" });
  });
});
