import { expect, test } from "vitest";
import type { BenchCase } from "./bench-case.ts";
import { formatTable, toRows } from "./result.ts";
import { summarize } from "./statistics.ts";

const bench = (name: string, floor?: string): BenchCase => ({
  name,
  unit: "ms",
  ...(floor === undefined ? {} : { floor }),
  run: async () => [],
});

test("quantiles are samples that were measured", () => {
  const samples = Array.from({ length: 200 }, (_, n) => 200 - n);
  expect(summarize(samples)).toEqual({ count: 200, p50: 100, p99: 198, min: 1, max: 200 });
  expect(summarize([7])).toEqual({ count: 1, p50: 7, p99: 7, min: 7, max: 7 });
});

test("a row is compared with the median of its floor in the same run", () => {
  const rows = toRows([
    { bench: bench("floor"), samples: [2, 4, 9], isNoisy: false },
    { bench: bench("ours", "floor"), samples: [10], isNoisy: true },
    { bench: bench("alone", "not run"), samples: [1], isNoisy: false },
  ]);
  expect(rows.map(({ name, ratio, noisy }) => ({ name, ratio, noisy }))).toEqual([
    { name: "floor", ratio: undefined, noisy: undefined },
    { name: "ours", ratio: 2.5, noisy: true },
    { name: "alone", ratio: undefined, noisy: undefined },
  ]);
});

test("the table is aligned, names what is absent and marks what was measured beside other work", () => {
  const rows = toRows([
    { bench: bench("floor"), samples: [4], isNoisy: false },
    { bench: bench("ours", "floor"), samples: [1234.5], isNoisy: true },
  ]);
  const absent = [{ name: "peer", reason: "peerd is not installed" }];
  expect(formatTable({ rows, absent })).toBe(
    [
      "case      unit  n   p50   p99  min .. max    ratio",
      "floor     ms    1     4     4  4 .. 4",
      "ours (!)  ms    1  1235  1235  1235 .. 1235  309 × floor",
      "",
      "(!) other work took part of the machine while this was measured",
      "peer: not measured, peerd is not installed",
    ].join("\n"),
  );
});
