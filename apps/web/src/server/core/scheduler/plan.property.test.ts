import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { buildBoards } from "./board.ts";
import { plan } from "./plan.ts";
import {
  type ActiveJob,
  DEFAULT_POLICY,
  type FleetSnapshot,
  type GpuView,
  isHeld,
  type Plan,
  type QueuedJob,
  type Reservation,
  type TeamSnapshot,
} from "./snapshot.ts";
import { active, fleet, GIB, gpu, job, NOW_MS, queue, target, use } from "./testing/fleet-builder.ts";

const policy = { ...DEFAULT_POLICY, cpuJobsPerTargetMin: 3, cpuJobsPerCpu: 0 };
const users = ["u_alice", "u_bob", "u_carol"];
const arbitrary = {
  gpu: fc.record({
    memoryTotalMib: fc.constantFrom(24 * GIB, 80 * GIB, null),
    name: fc.constantFrom("NVIDIA A100", "NVIDIA H100"),
    simulated: fc.boolean(),
    schedulable: oftenTrue(),
    blocked: oftenTrue().map((value) => !value),
    missing: oftenTrue().map((value) => !value),
    use: fc.constantFrom(
      use(),
      use(),
      null,
      use({ foreignMib: 30 * GIB, foreignUsers: ["eve"] }),
      use({ sampledAtMs: 0 }),
    ),
  }),
  hold: fc.constantFrom(
    null,
    null,
    null,
    null,
    { code: "disk_full", message: "its disk is full", sinceMs: 0, untilMs: null },
    { code: "disk_full", message: "its disk is full", sinceMs: 0, untilMs: NOW_MS + 1000 },
    { code: "disk_full", message: "its disk is full", sinceMs: 0, untilMs: NOW_MS },
  ),
  label: fc.constantFrom<Record<string, string>[]>({}, {}, { role: "train" }, { role: "infer" }),
  timeoutMs: fc.constantFrom(null, 60_000, 3_600_000),
};

function oftenTrue(): fc.Arbitrary<boolean> {
  return fc.integer({ min: 0, max: 9 }).map((n) => n > 0);
}

/** A team with running jobs that the planner itself placed, so that the start is always a possible state. */
const teams: fc.Arbitrary<TeamSnapshot> = fc
  .record({
    targets: fc.array(
      fc.record({
        gpus: fc.array(arbitrary.gpu, { maxLength: 5 }),
        connected: oftenTrue(),
        cordoned: oftenTrue().map((value) => !value),
        hold: arbitrary.hold,
        labels: arbitrary.label,
      }),
      { maxLength: 4 },
    ),
    running: fc.array(jobs(), { maxLength: 12 }),
    queued: fc.array(jobs(), { maxLength: 25 }),
    usage: fc.array(fc.integer({ min: 0, max: 1e7 }), { minLength: 3, maxLength: 3 }),
    paused: oftenTrue().map((value) => !value),
    runningMax: fc.constantFrom(null, null, 0, 2, 5),
    gpusMax: fc.constantFrom(null, null, 0, 3, 6),
    userRunningMax: fc.constantFrom(null, null, 1, 3),
    userGpusMax: fc.constantFrom(null, null, 2, 4),
    selected: arbitrary.label,
    named: fc.constantFrom([], [], [1, 2], [9]),
  })
  .map((given) => {
    const targets = given.targets.map(({ gpus, ...one }, t) => {
      return target(
        t + 1,
        gpus.map((view, g) => gpu((t + 1) * 100 + g, view)),
        one,
      );
    });
    const queues = [
      queue(),
      queue({
        ...{ id: 2, name: "side", priority: 1, paused: given.paused, runningMax: given.runningMax },
        ...{ gpusMax: given.gpusMax, userRunningMax: given.userRunningMax, userGpusMax: given.userGpusMax },
        selector: { labels: given.selected, targets: given.named.map((id) => ({ id, name: `node${id}` })) },
      }),
    ];
    const usage = users.map((userId, i) => ({ userId, userName: userId, gpuMs: given.usage[i] ?? 0 }));
    const base = { targets, queues, usage };
    const before = plan(
      fleet({ ...base, queued: given.running.map((over, i) => job(`j_r${i}`, over)) }),
      NOW_MS,
      policy,
    );
    const running = given.running.map((over, i) => job(`j_r${i}`, over));
    const queued = given.queued.map((over, i) => job(`j_q${i}`, over));
    const first = plan(fleet({ ...base, active: start(before, running), queued }), NOW_MS, policy);
    return {
      ...fleet({ ...base, active: start(before, running), queued }).teams[0],
      // Half of the reservations of an earlier plan survive, as after a restart in between.
      reservations: (first.reservations.get("tm_1") ?? []).filter((_, i) => i % 2 === 0),
    } as TeamSnapshot;
  });

function jobs() {
  return fc.record({
    userId: fc.constantFrom(...users),
    queueId: fc.constantFrom(1, 2),
    priority: fc.constantFrom(0, 0, 1),
    createdAtMs: fc.integer({ min: NOW_MS - 10_000, max: NOW_MS }),
    gpus: fc.constantFrom(0, 1, 1, 2, 4),
    gpuMemoryMib: fc.constantFrom(undefined, undefined, 10 * GIB, 40 * GIB),
    gpuModel: fc.constantFrom(undefined, undefined, "h100"),
    labels: arbitrary.label,
    wanted: fc.constantFrom(undefined, undefined, { id: 1, name: "node1" }, { id: 9, name: "gone" }),
    timeoutMs: arbitrary.timeoutMs,
  });
}

function start(result: Plan, queued: QueuedJob[]): ActiveJob[] {
  return result.placements.map((placement) => {
    const of = queued.find((one) => one.id === placement.job) as QueuedJob;
    const { userId, userName, queueId, timeoutMs, graceMs } = of;
    return active(of.id, placement.gpus, {
      ...{ userId, userName, queueId, timeoutMs, graceMs },
      targetId: placement.targetId,
      sinceMs: NOW_MS,
    });
  });
}

function shuffled(snapshot: TeamSnapshot, seed: number): TeamSnapshot {
  let state = seed;
  const random = () => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return state / 2_147_483_648;
  };
  const mix = <T>(items: readonly T[]): T[] =>
    items
      .map((item) => ({ item, at: random() }))
      .sort((a, b) => a.at - b.at)
      .map(({ item }) => item);
  return {
    ...snapshot,
    targets: mix(snapshot.targets.map((one) => ({ ...one, gpus: mix(one.gpus) }))),
    queues: mix(snapshot.queues),
    queued: mix(snapshot.queued),
    active: mix(snapshot.active),
    usage: mix(snapshot.usage),
    reservations: mix(snapshot.reservations),
  };
}

function check<T>(property: fc.IProperty<T>, parameters: fc.Parameters<T>): void {
  // fast-check's type covers asynchronous properties too; ours are not.
  void fc.assert(property, parameters);
}

const asFleet = (snapshot: TeamSnapshot): FleetSnapshot => ({ teams: [snapshot] });

describe("whatever the fleet and the line look like", () => {
  test("[S3] equal snapshots give equal plans in whatever order they are listed", () => {
    check(
      fc.property(teams, fc.nat(), (snapshot, seed) => {
        const one = plan(asFleet(snapshot), NOW_MS, policy);
        expect(plan(asFleet(snapshot), NOW_MS, policy)).toEqual(one);
        expect(plan(asFleet(shuffled(snapshot, seed)), NOW_MS, policy)).toEqual(one);
      }),
      { numRuns: 150 },
    );
  });

  test("[S4] every queued job is either placed or told why not", () => {
    check(
      fc.property(teams, (snapshot) => {
        const result = plan(asFleet(snapshot), NOW_MS, policy);
        const placed = result.placements.map((placement) => placement.job);
        expect(new Set(placed).size).toBe(placed.length);
        const all = snapshot.queued.map((one) => one.id).sort();
        expect([...placed, ...result.reasons.keys()].sort()).toEqual(all);
        expect([...placed, ...result.line].sort()).toEqual(all);
      }),
      { numRuns: 200 },
    );
  });

  test("[S1] [S2] [S5] [S6] [S7] [S8] [S10] [S19] placements never break a promise", () => {
    check(
      fc.property(teams, (snapshot) => {
        const result = plan(asFleet(snapshot), NOW_MS, policy);
        const after = [...snapshot.active, ...start(result, [...snapshot.queued])];
        for (const board of buildBoards({ ...snapshot, active: after }, NOW_MS, policy)) {
          expect(board.cpuHolds.length).toBeLessThanOrEqual(policy.cpuJobsPerTargetMin);
          for (const slot of board.slots) {
            if (slot.heldWhole) expect(slot.holds).toHaveLength(1);
            else expect(slot.heldMib).toBeLessThanOrEqual(slot.view.memoryTotalMib ?? 0);
          }
        }
        for (const placement of result.placements) {
          const of = snapshot.queued.find((one) => one.id === placement.job) as QueuedJob;
          const where = snapshot.targets.find((one) => one.id === placement.targetId);
          expect(where).toMatchObject({ connected: true, cordoned: false, labels: of.shape.labels });
          expect(where && isHeld(where, NOW_MS)).toBe(false);
          if (of.shape.wanted) expect(where?.id).toBe(of.shape.wanted.id);
          expect(placement.gpus).toHaveLength(of.shape.gpus);
          for (const { gpuId } of placement.gpus) {
            const view = where?.gpus.find((one) => one.id === gpuId) as GpuView;
            expect(view).toMatchObject({ blocked: false, missing: false, schedulable: true });
            if (!view.simulated) expect(view.use?.sampledAtMs).toBeGreaterThan(0);
            if (of.shape.gpuMemoryMib === null && view.use?.sampledAtMs) expect(view.use.foreignMib).toBe(0);
            if (of.shape.gpuModel) expect(view.name.toLowerCase()).toContain(of.shape.gpuModel);
          }
        }
      }),
      { numRuns: 300 },
    );
  });

  test("[S14] [S26] [S28] no queue and no user in it gets more than the queue allows, nor elsewhere", () => {
    check(
      fc.property(teams, (snapshot) => {
        const result = plan(asFleet(snapshot), NOW_MS, policy);
        const after = [...snapshot.active, ...start(result, [...snapshot.queued])];
        for (const one of snapshot.queues) {
          const own = after.filter(({ queueId }) => queueId === one.id);
          expectWithin(own, one.runningMax, one.gpusMax);
          for (const jobs of Map.groupBy(own, ({ userId }) => userId).values()) {
            expectWithin(jobs, one.userRunningMax, one.userGpusMax);
          }
          for (const { targetId } of own) {
            const where = snapshot.targets.find(({ id }) => id === targetId);
            expect(where).toMatchObject({ labels: one.selector.labels });
            const named = one.selector.targets.map(({ id }) => id);
            if (named.length > 0) expect(named).toContain(targetId);
          }
        }
      }),
      { numRuns: 300 },
    );
  });

  test("[S3] a plan carried out and planned again places nothing that the first one refused", () => {
    check(
      fc.property(teams, (snapshot) => {
        const one = plan(asFleet(snapshot), NOW_MS, policy);
        if (one.wakeAtMs === NOW_MS) return;
        const placed = new Set(one.placements.map((placement) => placement.job));
        const next = plan(
          asFleet({
            ...snapshot,
            active: [...snapshot.active, ...start(one, [...snapshot.queued])],
            queued: snapshot.queued.filter((of) => !placed.has(of.id)),
            reservations: one.reservations.get("tm_1") ?? [],
          }),
          NOW_MS,
          policy,
        );
        // Turns go by users' scores, which the placements changed: only who is held back by a turn may go first now.
        expect(next.placements.map((placement) => placement.job)).toEqual([]);
      }),
      { numRuns: 200 },
    );
  });
});

function expectWithin(jobs: ActiveJob[], jobsMax: number | null, gpusMax: number | null): void {
  const gpus = jobs.reduce((sum, one) => sum + one.gpus.length, 0);
  expect(jobs.length).toBeLessThanOrEqual(jobsMax ?? Number.POSITIVE_INFINITY);
  expect(gpus).toBeLessThanOrEqual(gpusMax ?? Number.POSITIVE_INFINITY);
}

describe("over time", () => {
  /** Narrow jobs keep coming, one at least for every one that ends. `lengthMs` is how long each really runs. */
  const streams = fc.record({
    // Wider than every narrow job, so that none of them has its shape: those would take turns with it by user.
    gpus: fc.integer({ min: 3, max: 8 }),
    targets: fc.integer({ min: 1, max: 3 }),
    wideGpuMemoryMib: fc.constantFrom(undefined, 60 * GIB),
    /** The fleet is the limit, or the queue allows as much as the wide job needs, and perhaps one GPU more. */
    isLimited: fc.boolean(),
    spare: fc.constantFrom(0, 1),
    narrow: fc.array(
      fc.record({
        userId: fc.constantFrom(...users),
        gpus: fc.constantFrom(1, 1, 2),
        gpuMemoryMib: fc.constantFrom(undefined, 20 * GIB),
        timeoutMs: arbitrary.timeoutMs,
        lengthMs: fc.integer({ min: 1000, max: 3_600_000 }),
      }),
      { minLength: 5, maxLength: 30 },
    ),
  });

  test("[S15] [S27] a wide job starts in bounded time under an endless stream of narrow ones", () => {
    check(
      fc.property(streams, (given) => {
        const targets = Array.from({ length: given.targets }, (_, t) =>
          target(
            t + 1,
            Array.from({ length: given.gpus }, (_, g) => gpu((t + 1) * 100 + g, { simulated: true })),
          ),
        );
        const queues = [queue(given.isLimited ? { gpusMax: given.gpus + given.spare } : {})];
        let nowMs = NOW_MS;
        let made = 0;
        let queued: QueuedJob[] = [];
        let running: ActiveJob[] = [];
        let reservations: Reservation[] = [];
        const endsAt = new Map<string, number>();
        const lengths = new Map<string, number>();
        const addNarrow = () => {
          const { lengthMs, ...over } = given.narrow[
            made % given.narrow.length
          ] as (typeof given.narrow)[number];
          const one = job(`j_n${made}`, { ...over, createdAtMs: nowMs });
          lengths.set(one.id, Math.min(lengthMs, over.timeoutMs ?? lengthMs));
          queued.push(one);
          made += 1;
        };
        for (let i = 0; i < 40; i += 1) addNarrow();
        for (let step = 0; step < 3000; step += 1) {
          // The wide job's user is the heaviest, and it comes when the fleet is already full.
          if (step === 3) {
            const over = {
              gpus: given.gpus,
              gpuMemoryMib: given.wideGpuMemoryMib,
              userId: "u_dave",
              createdAtMs: nowMs,
            };
            queued.push(job("j_wide", over));
          }
          const usage = [{ userId: "u_dave", userName: "dave", gpuMs: 1e12 }];
          const result = plan(
            fleet({ targets, queues, queued, active: running, reservations, usage }),
            nowMs,
            policy,
          );
          reservations = result.reservations.get("tm_1") ?? [];
          if (result.placements.some((placement) => placement.job === "j_wide")) return;
          const started = start(result, queued).map((one) => ({ ...one, sinceMs: nowMs }));
          for (const one of started) endsAt.set(one.id, nowMs + (lengths.get(one.id) ?? 0));
          const gone = new Set(started.map((one) => one.id));
          queued = queued.filter((one) => !gone.has(one.id));
          running = [...running, ...started];
          nowMs = Math.min(...running.map((one) => endsAt.get(one.id) ?? nowMs));
          running = running.filter((one) => (endsAt.get(one.id) ?? 0) > nowMs);
          while (queued.length < 40) addNarrow();
        }
        throw new Error("the wide job never started");
      }),
      { numRuns: 60 },
    );
  });
});
