import { beforeAll, expect, test } from "vitest";
import { bundleSimulator } from "./bundle.ts";
import { type RunOrder, runSeeds } from "./run-seeds.ts";
import { KEPT_SEEDS } from "./seeds/kept-seeds.ts";
import type { Outcome } from "./world/simulate.ts";

/** Some twenty seconds on two cores that others use too. The long run is `npm run sim`. */
const SLICE = 120;
const SLICE_TIMEOUT_MS = 120_000;
const steps = 1_500;
const agents = 3;

let bundle: string;
beforeAll(async () => {
  bundle = await bundleSimulator("test");
});

async function outcomesOf(orders: RunOrder[]): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  await runSeeds({
    bundle,
    orders,
    onOutcome(outcome) {
      outcomes.push(outcome);
      return true;
    },
  });
  return outcomes;
}

const broken = (outcomes: Outcome[]) =>
  outcomes.flatMap(({ seed, violations }) => violations.map((violation) => `seed ${seed}: ${violation}`));

test(
  "[W60] [W61] whatever breaks in whatever order, what was promised holds, and all comes to its end",
  async () => {
    const orders = Array.from({ length: SLICE }, (_, at) => ({ seed: at + 1, steps, agents, isTold: false }));
    const outcomes = await outcomesOf([...orders, { seed: 1, steps: 4_000, agents: 8, isTold: false }]);
    expect(broken(outcomes)).toEqual([]);
    // A slice in which little happened would prove nothing.
    const happened = new Set(outcomes.flatMap(({ faults }) => Object.keys(faults)));
    expect(happened.size).toBeGreaterThan(15);
    expect(outcomes.reduce((sum, { runs }) => sum + runs, 0)).toBeGreaterThan(SLICE * 5);
  },
  SLICE_TIMEOUT_MS,
);

test.each(KEPT_SEEDS)("[W60] [W61] seed $seed of $steps steps, which taught: $taught", async (kept) => {
  expect(broken(await outcomesOf([{ ...kept, isTold: false }]))).toEqual([]);
});

test("[W62] a seed does the same again, in another thread and after other seeds", async () => {
  const [first] = await outcomesOf([{ seed: 11, steps, agents, isTold: false }]);
  const again = await outcomesOf([12, 13, 14, 11].map((seed) => ({ seed, steps, agents, isTold: false })));
  expect(first?.traceHash).toMatch(/^[0-9a-f]{8}$/);
  const second = again.find(({ seed }) => seed === 11);
  expect([second?.traceHash, second?.events]).toEqual([first?.traceHash, first?.events]);
});
