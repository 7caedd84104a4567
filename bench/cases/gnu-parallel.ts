import type { BenchCase } from "../bench-case.ts";
import { runTimed, unlessInstalled } from "../run-timed.ts";

const JOBS = 1000;

export const gnuParallel: BenchCase = {
  name: "peer: GNU parallel, true",
  unit: "jobs/s",
  floor: "floor: bare Node spawn loop of true",
  absent: () => unlessInstalled("parallel", "parallel"),
  async run({ cores, folder }) {
    const { seconds } = await runTimed(
      ["sh", "-c", `seq ${JOBS} | parallel --will-cite -n0 -j${cores} /bin/true`],
      {
        HOME: folder,
      },
    );
    return [JOBS / seconds];
  },
};
