import type { Target } from "@nexus/shared/api/schemas";
import { describe, expect, it } from "vitest";
import { applyFleet, fleetTotals, HISTORY_SAMPLES } from "./fleet-state.ts";

function target(id: string, name: string, samples: { utilizationPct: number; atMs: number }[] = []): Target {
  return {
    id,
    name,
    kind: "agent",
    state: "connected",
    stateSinceMs: 0,
    cordoned: false,
    draining: false,
    labels: {},
    facts: null,
    host: null,
    gpus: samples.map(({ utilizationPct, atMs }, index) => ({
      uuid: `GPU-${id}-${index}`,
      index,
      name: "H100",
      memoryTotalMib: 81920,
      simulated: true,
      migParentUuid: null,
      schedulable: true,
      blocked: false,
      sampledAtMs: atMs,
      sample: {
        uuid: `GPU-${id}-${index}`,
        memoryUsedMib: 8192,
        utilizationPct,
        temperatureC: null,
        powerW: null,
        powerLimitW: null,
        processes: [],
      },
      holders: [],
    })),
    jobsActive: 0,
    notice: null,
    lastSeenAtMs: 0,
    createdAtMs: 0,
  };
}

const message = (snapshot: boolean, targets: Target[], removed: string[] = []) => ({
  snapshot,
  targets,
  removed,
  queued: 0,
  running: 0,
  nowMs: 0,
});

describe("fleet state", () => {
  it("folds changes and removals into the snapshot, by name in human order", () => {
    let state = applyFleet(null, message(true, [target("t_2", "gpu10"), target("t_1", "gpu2")]));
    expect(state.targets.map(({ name }) => name)).toEqual(["gpu2", "gpu10"]);
    state = applyFleet(
      state,
      message(false, [target("t_3", "a"), { ...target("t_1", "gpu2"), cordoned: true }], ["t_2"]),
    );
    expect(state.targets.map(({ id, cordoned }) => [id, cordoned])).toEqual([
      ["t_3", false],
      ["t_1", true],
    ]);
  });

  it("a new snapshot replaces what was known before a reconnect", () => {
    const state = applyFleet(null, message(true, [target("t_1", "a"), target("t_2", "b")]));
    expect(applyFleet(state, message(true, [target("t_2", "b")])).targets.map(({ id }) => id)).toEqual([
      "t_2",
    ]);
  });

  it("keeps a bounded history per GPU, one entry per sample, and forgets GPUs that left", () => {
    let state = applyFleet(null, message(true, [target("t_1", "a", [{ utilizationPct: 1, atMs: 1 }])]));
    for (let at = 1; at <= HISTORY_SAMPLES + 20; at++) {
      state = applyFleet(state, message(false, [target("t_1", "a", [{ utilizationPct: at, atMs: at }])]));
    }
    const history = state.history.get("GPU-t_1-0");
    expect(history?.length).toBe(HISTORY_SAMPLES);
    expect(history?.at(-1)).toBe(HISTORY_SAMPLES + 20);
    expect(applyFleet(state, message(false, [], ["t_1"])).history.size).toBe(0);
  });

  it("sums what can run jobs now", () => {
    const off = { ...target("t_2", "b", [{ utilizationPct: 90, atMs: 1 }]), state: "offline" as const };
    const on = target("t_1", "a", [
      { utilizationPct: 20, atMs: 1 },
      { utilizationPct: 40, atMs: 1 },
    ]);
    expect(fleetTotals([on, off])).toMatchObject({
      targets: 2,
      connected: 1,
      gpus: 2,
      utilizationPct: 30,
      memoryUsedMib: 16384,
      memoryTotalMib: 163840,
    });
  });
});
