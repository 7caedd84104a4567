import { describe, expect, test } from "vitest";
import type { LiveJob } from "./live-jobs.ts";
import { createUserUsages } from "./user-usage.ts";

const alice = { teamId: "tm_1", userId: "u_alice", userName: "alice" };
const hourMs = 3_600_000;

describe("GPU time of users", () => {
  test("[S13] halves with every half-life, whenever it is added and asked for", () => {
    const usage = createUserUsages(24 * hourMs);
    usage.add(alice, 8 * hourMs, 0);
    expect(usage.list("tm_1", [], 24 * hourMs)).toEqual([
      { userId: "u_alice", userName: "alice", gpuMs: 4 * hourMs },
    ]);
    usage.add(alice, 2 * hourMs, 24 * hourMs);
    expect(usage.list("tm_1", [], 48 * hourMs)[0]?.gpuMs).toBe(3 * hourMs);
    expect(usage.list("tm_2", [], 0)).toEqual([]);
  });

  test("[S13] counts what runs now, GPU by GPU, and nothing of jobs without GPUs", () => {
    const usage = createUserUsages(24 * hourMs);
    usage.load([{ ...alice, gpuMs: hourMs }], 0);
    const running = (userId: string, gpus: number) =>
      ({
        userId,
        userName: userId.slice(2),
        attempt: { startedAtMs: 0, gpus: Array.from({ length: gpus }, (_, gpuId) => ({ gpuId })) },
      }) as unknown as LiveJob;
    const list = usage.list("tm_1", [running("u_bob", 2), running("u_carol", 0)], hourMs);
    expect(list.map((one) => [one.userName, Math.round(one.gpuMs / 1000)])).toEqual([
      ["alice", 3498],
      ["bob", 7200],
    ]);
  });
});
