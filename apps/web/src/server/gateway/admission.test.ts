import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { admit, openAdmission } from "./admission.ts";

const limits = { perSecond: 10, burst: 5 };

describe("admission", () => {
  it("[P23] in any second no more begin than the rate and the burst allow", () => {
    void fc.assert(
      fc.property(fc.array(fc.nat(300), { minLength: 1, maxLength: 200 }), (gaps) => {
        let state = openAdmission(0, limits);
        let nowMs = 0;
        const admittedAt: number[] = [];
        for (const gap of gaps) {
          nowMs += gap;
          const entry = admit(state, nowMs, limits);
          state = entry.state;
          if (entry.admitted) admittedAt.push(nowMs);
          else expect(entry.retryAfterMs).toBeGreaterThan(0);
        }
        for (const from of admittedAt) {
          const inSecond = admittedAt.filter((at) => at >= from && at < from + 1000).length;
          expect(inSecond).toBeLessThanOrEqual(limits.burst + limits.perSecond);
        }
      }),
    );
  });

  it("[P23] those turned away together are told to come back one after the other", () => {
    let state = openAdmission(0, limits);
    const waits: number[] = [];
    for (let i = 0; i < 25; i += 1) {
      const entry = admit(state, 0, limits);
      state = entry.state;
      if (!entry.admitted) waits.push(entry.retryAfterMs);
    }
    expect(waits).toHaveLength(20);
    expect(waits[0]).toBe(100);
    expect(waits.at(-1)).toBe(2000);
    expect(new Set(waits).size).toBe(20);
  });
});
