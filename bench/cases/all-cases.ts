import type { BenchCase } from "../bench-case.ts";
import { commitAndSpawn } from "./commit-and-spawn.ts";
import { dashLoop } from "./dash-loop.ts";
import { gnuParallel } from "./gnu-parallel.ts";
import { nexusBigLog } from "./nexus-big-log.ts";
import { nexusHerd } from "./nexus-herd.ts";
import { nexusIdle } from "./nexus-idle.ts";
import { nexusRate, nexusStart } from "./nexus-jobs.ts";
import { nexusFollowers, nexusQueue } from "./nexus-limits.ts";
import { nexusLogDelay, nexusLogRate, nexusLogStore, nexusSteadyLog } from "./nexus-log.ts";
import { nodeSpawnLoop } from "./node-spawn-loop.ts";
import { schedulerPlan } from "./scheduler-plan.ts";
import { slurmRate, slurmStart } from "./slurm.ts";
import { socketToFile } from "./socket-to-file.ts";
import { sshSpeed } from "./ssh-speed.ts";
import { taskSpoolerRate, taskSpoolerStart } from "./task-spooler.ts";

/** In the order of the table: what an idle Nexus costs, how fast one job starts, how many run in a second, logs. */
export const ALL_CASES: BenchCase[] = [
  ...nexusIdle,
  commitAndSpawn,
  nexusStart,
  taskSpoolerStart,
  slurmStart,
  nodeSpawnLoop,
  nexusRate,
  dashLoop,
  taskSpoolerRate,
  gnuParallel,
  slurmRate,
  ...schedulerPlan,
  nexusLogRate,
  nexusLogStore,
  socketToFile,
  nexusLogDelay,
  nexusSteadyLog,
  ...nexusBigLog,
  ...sshSpeed,
  nexusHerd,
  ...nexusQueue,
  ...nexusFollowers,
];
