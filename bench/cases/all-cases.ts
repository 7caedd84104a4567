import type { BenchCase } from "../bench-case.ts";
import { commitAndSpawn } from "./commit-and-spawn.ts";
import { dashLoop } from "./dash-loop.ts";
import { gnuParallel } from "./gnu-parallel.ts";
import { nodeSpawnLoop } from "./node-spawn-loop.ts";
import { slurmRate, slurmStart } from "./slurm.ts";
import { taskSpoolerRate, taskSpoolerStart } from "./task-spooler.ts";

/** In the order of the table: first how fast one job starts, then how many run in a second. */
export const ALL_CASES: BenchCase[] = [
  commitAndSpawn,
  taskSpoolerStart,
  slurmStart,
  nodeSpawnLoop,
  dashLoop,
  taskSpoolerRate,
  gnuParallel,
  slurmRate,
];
