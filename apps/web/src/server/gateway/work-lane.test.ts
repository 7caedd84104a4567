import { describe, expect, it } from "vitest";
import { createWorkLane } from "./work-lane.ts";

function gate() {
  const opened = Promise.withResolvers<void>();
  return { open: opened.resolve, passed: opened.promise };
}

describe("work lane", () => {
  it("[P14] pieces are worked on in order, one at a time, also after one failed", async () => {
    const seen: string[] = [];
    const errors: unknown[] = [];
    const lane = createWorkLane<number>({
      sizeOf: () => 1,
      sizeMax: 100,
      async work(item) {
        seen.push(`begin ${item}`);
        await Promise.resolve();
        if (item === 2) throw new Error("two");
        seen.push(`end ${item}`);
      },
      onProgress: () => undefined,
      onError: (error) => errors.push(error),
    });
    for (const item of [1, 2, 3]) lane.push(item);
    await lane.idle();
    expect(seen).toEqual(["begin 1", "end 1", "begin 2", "begin 3", "end 3"]);
    expect(errors).toHaveLength(1);
  });

  it("[P15] a lane is full at its limit and roomy again at half of it", async () => {
    const gates = [gate(), gate(), gate(), gate()];
    const progress: { isFull: boolean; isRoomy: boolean }[] = [];
    const lane = createWorkLane<number>({
      sizeOf: () => 10,
      sizeMax: 40,
      work: (item) => gates[item]?.passed ?? Promise.resolve(),
      onProgress: () => progress.push({ isFull: lane.isFull(), isRoomy: lane.isRoomy() }),
      onError: () => undefined,
    });
    for (const item of [0, 1, 2]) lane.push(item);
    expect(lane.isFull()).toBe(false);
    lane.push(3);
    expect(lane.isFull()).toBe(true);
    for (const each of gates) each.open();
    await lane.idle();
    expect(progress).toEqual([
      { isFull: false, isRoomy: false },
      { isFull: false, isRoomy: true },
      { isFull: false, isRoomy: true },
      { isFull: false, isRoomy: true },
    ]);
  });

  it("[P14] a stopped lane drops what waits and ends what runs", async () => {
    const first = gate();
    const seen: number[] = [];
    const lane = createWorkLane<number>({
      sizeOf: () => 1,
      sizeMax: 10,
      async work(item) {
        await first.passed;
        seen.push(item);
      },
      onProgress: () => undefined,
      onError: () => undefined,
    });
    lane.push(1);
    lane.push(2);
    lane.stop();
    lane.push(3);
    first.open();
    await lane.idle();
    expect(seen).toEqual([1]);
  });
});
