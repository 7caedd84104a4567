import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Generations, judgeGeneration } from "./node-generation.ts";

/** One connect of a node that wrote down `said`; it may die before it writes, or before its confirmation arrives. */
function connect(known: Generations, said: number, fate: "dies" | "writes" | "confirms") {
  const verdict = judgeGeneration(known, said);
  if (verdict.kind === "clone") return null;
  const { offered } = verdict.next;
  return {
    known: fate === "confirms" ? { confirmed: offered, offered } : verdict.next,
    said: fate === "dies" ? said : offered,
  };
}

const fate = fc.constantFrom("dies" as const, "writes" as const, "confirms" as const);

describe("generations", () => {
  it("[P19] a node that dies at any moment of any connect is never taken for a clone", () => {
    void fc.assert(
      fc.property(fc.array(fate), (fates) => {
        let at: { known: Generations; said: number } = { known: { confirmed: 0, offered: 0 }, said: 0 };
        for (const each of fates) {
          const next = connect(at.known, at.said, each);
          expect(next).not.toBeNull();
          if (next !== null) at = next;
        }
      }),
    );
  });

  it("[P20] of two copies that both connect and confirm, one is found out at its next connect", () => {
    void fc.assert(
      fc.property(fc.array(fate), fc.nat(5), (fates, lead) => {
        let at: { known: Generations; said: number } = { known: { confirmed: 0, offered: 0 }, said: 0 };
        for (const each of fates) at = connect(at.known, at.said, each) ?? at;
        const copiedAt = at.said;
        for (let round = 0; round <= lead; round += 1) at = connect(at.known, at.said, "confirms") ?? at;
        expect(judgeGeneration(at.known, copiedAt)).toEqual({ kind: "clone" });
      }),
    );
  });

  it("[P20] of two copies only one ever confirms, whenever both are offered, write and die", () => {
    const step = fc.record({
      who: fc.constantFrom("node" as const, "copy" as const),
      act: fc.constantFrom("hello" as const, "write" as const, "confirm" as const, "die" as const),
    });
    void fc.assert(
      fc.property(fc.array(step, { minLength: 30, maxLength: 60 }), (steps) => {
        let known: Generations = { confirmed: 3, offered: 3 };
        const machines = { node: { said: 3, offered: 0 }, copy: { said: 3, offered: 0 } };
        const confirmed = new Set<string>();
        for (const { who, act } of steps) {
          const machine = machines[who];
          if (act === "hello") {
            const verdict = judgeGeneration(known, machine.said);
            if (verdict.kind === "accept") {
              known = verdict.next;
              machine.offered = known.offered;
            }
          }
          if (act === "write" && machine.offered > 0) machine.said = machine.offered;
          if (act === "confirm" && machine.offered > 0 && machine.said === machine.offered) {
            // As the database does it: the newest offer only.
            if (known.offered !== machine.offered) continue;
            known = { confirmed: machine.offered, offered: machine.offered };
            confirmed.add(who);
          }
          if (act === "die" || act === "confirm") machine.offered = 0;
        }
        expect(confirmed.size).toBeLessThan(2);
      }),
      { numRuns: 2_000 },
    );
  });

  it("[P19] a node that knows more than a restored database is taken back, and it is said", () => {
    expect(judgeGeneration({ confirmed: 3, offered: 4 }, 9)).toEqual({
      kind: "accept",
      next: { confirmed: 9, offered: 10 },
      ahead: true,
    });
  });
});
