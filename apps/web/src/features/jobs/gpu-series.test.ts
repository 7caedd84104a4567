import { describe, expect, it } from "vitest";
import { gpuSeries } from "./gpu-series.ts";

const point = (atMs: number, uuid: string, memoryUsedMib: number | null) => ({
  atMs,
  uuid,
  memoryUsedMib: memoryUsedMib === null ? null : memoryUsedMib * 1024,
  utilizationPct: memoryUsedMib,
  powerW: null,
  temperatureC: null,
});

describe("GPU series", () => {
  it("aligns GPUs on one time axis, in the job's order, with holes where nothing was measured", () => {
    const series = gpuSeries(
      [point(2, "b", 20), point(1, "a", 1), point(1, "b", 10), point(3, "a", null)],
      ["b", "a"],
    );
    expect(series).toEqual({
      timesMs: [1, 2, 3],
      uuids: ["b", "a"],
      memoryGib: [
        [10, 20, null],
        [1, null, null],
      ],
      utilizationPct: [
        [10, 20, null],
        [1, null, null],
      ],
    });
  });
});
