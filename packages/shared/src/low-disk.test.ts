import { expect, it } from "vitest";
import { isDiskLow, lowDiskText } from "./low-disk.ts";

const GIB = 1024;

it("[P49] a disk is low by its size: below 5 %, never later than 512 MiB or half, never sooner than 16 GiB", () => {
  const cases: [number, number | null, boolean][] = [
    [511, null, true],
    [512, null, false],
    [511, 4 * GIB, true],
    [99, 200, true],
    [101, 200, false],
    [4 * GIB, 100 * GIB, true],
    [6 * GIB, 100 * GIB, false],
    [15 * GIB, 8_000 * GIB, true],
    [17 * GIB, 8_000 * GIB, false],
  ];
  for (const [freeMib, totalMib, low] of cases) expect(isDiskLow({ freeMib, totalMib }, false)).toBe(low);
  expect(isDiskLow({ freeMib: 6 * GIB, totalMib: 100 * GIB }, true)).toBe(true);
  expect(isDiskLow({ freeMib: 7 * GIB, totalMib: 100 * GIB }, true)).toBe(false);
});

it("[P49] a low disk is told with what is free, and of how much", () => {
  expect(lowDiskText({ freeMib: 400, totalMib: null })).toMatch(
    /^The disk of its home is low: 400 MiB free\. /,
  );
  expect(lowDiskText({ freeMib: 4_500, totalMib: 102_400 })).toMatch(/low: 4\.4 GiB of 100\.0 GiB free\. /);
});
