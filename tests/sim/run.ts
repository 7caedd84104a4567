/**
 * `npm run sim -- --seeds 10000 [--from 1]` runs many universes and prints those that broke a promise, with the command that
 * replays them. `npm run sim -- --seed 7 --steps 3000 --agents 3` replays one and prints its trace. `--mutants` takes one guard
 * of the product away after the other; each time some seed must fail.
 */
import { parseArgs } from "node:util";
import { bundleSimulator } from "./bundle.ts";
import { MUTANTS } from "./mutants.ts";
import { type RunOrder, runSeeds } from "./run-seeds.ts";
import type { Outcome } from "./world/simulate.ts";

const STEPS = 1_500;
const AGENTS = 3;
const SEEDS = 1_000;
/** A mutant that lives through so many seeds has no teeth against it. */
const MUTANT_SEEDS = 500;
const PROGRESS_MS = 10_000;

const { values } = parseArgs({
  options: {
    seeds: { type: "string" },
    from: { type: "string", default: "1" },
    seed: { type: "string" },
    steps: { type: "string", default: String(STEPS) },
    agents: { type: "string", default: String(AGENTS) },
    mutants: { type: "boolean", default: false },
    only: { type: "string" },
  },
});
const steps = wholeNumber("steps", values.steps);
const agents = wholeNumber("agents", values.agents);
const say = (line: string) => void process.stdout.write(`${line}\n`);

if (values.mutants) process.exitCode = (await runMutants()) ? 0 : 1;
else if (values.seed === undefined) process.exitCode = (await runMany()) ? 0 : 1;
else process.exitCode = (await replay(wholeNumber("seed", values.seed))) ? 0 : 1;

async function runMany(): Promise<boolean> {
  const from = wholeNumber("from", values.from);
  const count = wholeNumber("seeds", values.seeds ?? String(SEEDS));
  const bundle = await bundleSimulator("simulator");
  const beganMs = performance.now();
  const sums = { jobs: 0, runs: 0, givenUp: 0, takenUp: 0, events: 0, virtualMs: 0, done: 0 };
  const faults = new Map<string, number>();
  const failed: Outcome[] = [];
  let toldAtMs = beganMs;
  await runSeeds({
    bundle,
    orders: seedsFrom(from, count),
    onOutcome(outcome) {
      sums.done += 1;
      for (const key of ["jobs", "runs", "givenUp", "takenUp", "events", "virtualMs"] as const)
        sums[key] += outcome[key];
      for (const [name, times] of Object.entries(outcome.faults))
        faults.set(name, (faults.get(name) ?? 0) + times);
      if (outcome.violations.length > 0) {
        failed.push(outcome);
        sayFailure(outcome);
      }
      if (performance.now() - toldAtMs > PROGRESS_MS) {
        toldAtMs = performance.now();
        say(`${sums.done} of ${count} seeds, ${failed.length} failed`);
      }
      return true;
    },
  });
  const seconds = (performance.now() - beganMs) / 1000;
  const told = [...faults].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, times]) => `${name} ${times}`);
  say(
    `${sums.done} seeds in ${seconds.toFixed(1)} s (${(sums.done / seconds).toFixed(1)} a second), ${failed.length} failed`,
  );
  say(
    `${sums.jobs} jobs, ${sums.runs} runs, ${sums.givenUp} given up (${sums.takenUp} taken up again), ${sums.events} events, ${Math.round(sums.virtualMs / 3.6e6)} virtual hours`,
  );
  say(`faults: ${told.join(", ")}`);
  return failed.length === 0;
}

async function replay(seed: number): Promise<boolean> {
  const bundle = await bundleSimulator("simulator");
  let isWell = false;
  await runSeeds({
    bundle,
    workers: 1,
    orders: [{ seed, steps, agents, isTold: true }],
    onLine: say,
    onOutcome(outcome) {
      isWell = outcome.violations.length === 0;
      say(`\nseed ${seed}: ${outcome.jobs} jobs, ${outcome.events} events, trace ${outcome.traceHash}`);
      if (!isWell) sayFailure(outcome);
      return true;
    },
  });
  return isWell;
}

async function runMutants(): Promise<boolean> {
  let survivors = 0;
  for (const mutant of MUTANTS.filter(
    ({ name }) => values.only === undefined || name.includes(values.only),
  )) {
    const bundle = await bundleSimulator(`mutant-${mutant.name}`, mutant);
    let killer: Outcome | null = null;
    await runSeeds({
      bundle,
      orders: seedsFrom(mutant.from ?? 1, MUTANT_SEEDS),
      onOutcome(outcome) {
        if (outcome.violations.length > 0 && (killer === null || outcome.seed < killer.seed))
          killer = outcome;
        return killer === null;
      },
    });
    if (killer === null) survivors += 1;
    say(`${mutant.name.padEnd(34)} ${describe(killer)}`);
  }
  say(
    survivors === 0 ? "every mutant was caught" : `${survivors} mutants lived through ${MUTANT_SEEDS} seeds`,
  );
  return survivors === 0;
}

function describe(killer: Outcome | null): string {
  if (killer === null) return "NOT CAUGHT";
  return `seed ${String(killer.seed).padStart(4)}  ${killer.violations[0]?.split("\n")[0]?.slice(0, 110)}`;
}

function sayFailure({ seed, violations }: Outcome): void {
  say(`seed ${seed} failed:`);
  for (const violation of violations) say(`  ${violation.slice(0, 600)}`);
  say(`  npm run sim -- --seed ${seed} --steps ${steps} --agents ${agents}`);
}

function* seedsFrom(from: number, count: number): Generator<RunOrder> {
  for (let seed = from; seed < from + count; seed++) yield { seed, steps, agents, isTold: false };
}

function wholeNumber(name: string, text: string): number {
  const number = Number(text);
  if (Number.isInteger(number) && number > 0) return number;
  throw new RangeError(`--${name} must be a whole number above 0, not ${text}.`);
}
