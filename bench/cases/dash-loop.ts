import type { BenchCase } from "../bench-case.ts";
import { runTimed, unlessInstalled } from "../run-timed.ts";

const JOBS = 1000;
const REPEATS = 2;

/** What a small shell does, one after the other: the launcher's own floor. */
export const dashLoop: BenchCase = {
  name: "floor: dash loop of true",
  unit: "jobs/s",
  floor: "floor: bare Node spawn loop of true",
  absent: () => unlessInstalled("dash", "dash"),
  async run() {
    const rates: number[] = [];
    for (let n = 0; n < REPEATS; n += 1) {
      const { seconds } = await runTimed([
        "dash",
        "-c",
        `n=${JOBS}; while [ "$n" -gt 0 ]; do /bin/true; n=$((n - 1)); done`,
      ]);
      rates.push(JOBS / seconds);
    }
    return rates;
  },
};
