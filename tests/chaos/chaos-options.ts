import { parseArgs } from "node:util";
import { ALL_FAULTS } from "./faults/all-faults.ts";
import type { Fault } from "./faults/fault.ts";

export type ChaosOptions = {
  jobs: number;
  faults: readonly Fault[];
  seed: number;
  agents: number;
  /** How often each fault strikes; null follows from the number of jobs. */
  rounds: number | null;
  scale: number;
  /** Recoveries may take this many times their limit: for machines that do other work. */
  slack: number;
  json: string | null;
  keep: boolean;
};

export const USAGE = `npm run chaos -- [--jobs 1000] [--faults all | a,b,c] [--seed N] [--agents 3]
  --jobs COUNT    jobs over all faults together
  --faults LIST   of: ${ALL_FAULTS.map(({ name }) => name).join(", ")}; default: all
  --seed N        draws the same jobs and faults again
  --agents K      nodes, with four simulated GPUs each
  --rounds N      how often each fault strikes; default: what fits the jobs
  --scale X       shortens what takes long (0.2: a cut of 10 s takes 2 s); default 1
  --slack X       recoveries may take X times their limit; default 1
  --json FILE     writes the table there as well
  --keep          keeps the folder of the run also when all was well
Ends with 0 only when the table is clean. The whole table takes some 40 minutes, ten of them for cut-long.`;

/** @throws Error with a sentence for whoever typed it. */
export function readChaosOptions(argv: readonly string[]): ChaosOptions {
  const text = { type: "string" } as const;
  const { values } = parseArgs({
    args: [...argv],
    options: {
      ...{
        jobs: text,
        faults: text,
        seed: text,
        agents: text,
        rounds: text,
        scale: text,
        slack: text,
        json: text,
      },
      keep: { type: "boolean" },
    },
  });
  const whole = (name: string, given: string | undefined, otherwise: number) => {
    const number = given === undefined ? otherwise : Number(given);
    if (!Number.isInteger(number) || number < 1)
      throw new Error(`--${name} takes a number from 1 on, not "${given}".`);
    return number;
  };
  const factor = (name: string, given: string | undefined) => {
    const number = Number(given ?? 1);
    if (!(number > 0)) throw new Error(`--${name} takes a number above 0, not "${given}".`);
    return number;
  };
  return {
    jobs: whole("jobs", values.jobs, 1_000),
    faults: faultsNamed(values.faults ?? "all"),
    seed: whole("seed", values.seed, 1 + Math.floor(Math.random() * 1_000_000)),
    agents: whole("agents", values.agents, 3),
    rounds: values.rounds === undefined ? null : whole("rounds", values.rounds, 1),
    scale: factor("scale", values.scale),
    slack: factor("slack", values.slack),
    json: values.json ?? null,
    keep: values.keep === true,
  };
}

function faultsNamed(list: string): readonly Fault[] {
  if (list === "all") return ALL_FAULTS;
  return list.split(",").map((name) => {
    const fault = ALL_FAULTS.find((one) => one.name === name.trim());
    if (!fault)
      throw new Error(
        `There is no fault "${name}". There are: ${ALL_FAULTS.map((one) => one.name).join(", ")}.`,
      );
    return fault;
  });
}
