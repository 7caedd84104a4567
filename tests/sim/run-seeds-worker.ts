/** Runs seeds as they come, one at a time. */
import { parentPort, workerData } from "node:worker_threads";
import type { RunOrder } from "./run-seeds.ts";
import type { Outcome, SimulateOptions } from "./world/simulate.ts";

type Simulator = { simulate(options: SimulateOptions): Promise<Outcome> };

const { bundle } = workerData as { bundle: string };
const { simulate } = (await import(bundle)) as Simulator;

parentPort?.on("message", async ({ seed, steps, agents, isTold }: RunOrder) => {
  const onLine = isTold ? (line: string) => parentPort?.postMessage({ line }) : null;
  parentPort?.postMessage({ outcome: await simulate({ seed, steps, agents, onLine }) });
});
