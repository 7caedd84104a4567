import fc from "fast-check";
import { expect, test } from "vitest";
import { remainingMs } from "./remaining-time.ts";

const runs = fc.array(fc.integer({ min: 0, max: 10_000_000 }), { maxLength: 12 });
const elapsed = fc.integer({ min: 0, max: 10_000_000 });

test("[S24] an estimate is of a run that was seen, in the future, and in no order", () => {
  fc.assert(
    fc.property(runs, elapsed, (past, elapsedMs) => {
      const leftMs = remainingMs(past, elapsedMs);
      expect(remainingMs(past.toReversed(), elapsedMs)).toBe(leftMs);
      if (leftMs === null) return;
      expect(leftMs).toBeGreaterThan(0);
      expect(past).toContain(leftMs + elapsedMs);
    }),
  );
});

test("[S24] nothing is said after too few runs, and of one that outlasted its kind", () => {
  fc.assert(
    fc.property(runs, (past) => {
      expect(remainingMs(past.slice(0, 2), 0)).toBeNull();
      expect(remainingMs(past, Math.max(0, ...past))).toBeNull();
    }),
  );
});

test("[S24] runs of one length are believed, runs of every length are not", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 10_000_000 }), fc.integer({ min: 3, max: 9 }), (ms, count) => {
      expect(remainingMs(Array(count).fill(ms), ms - 1)).toBe(1);
    }),
  );
  expect(remainingMs([1_000, 10_000, 100_000, 1_000_000], 0)).toBeNull();
  expect(remainingMs([600_000, 620_000, 660_000], 0)).toBe(620_000);
});
