import { join } from "node:path";
import type { BenchCase } from "../bench-case.ts";
import { runTimed } from "../run-timed.ts";

const STARTS = 200;
const PROGRAM = join(import.meta.dirname, "../programs/commit-and-spawn.ts");

/** The least that a durable queue can do before a job runs: one committed row, then one process. */
export const commitAndSpawn: BenchCase = {
  name: "floor: durable commit + spawn",
  unit: "ms",
  async run({ folder }) {
    const { stdout } = await runTimed([process.execPath, PROGRAM, folder, String(STARTS)]);
    return JSON.parse(stdout) as number[];
  },
};
