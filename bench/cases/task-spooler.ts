import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import type { BenchCase } from "../bench-case.ts";
import { runTimed, unlessInstalled } from "../run-timed.ts";
import { openStartProbe } from "../start-probe.ts";

const JOBS = 1000;
const STARTS = 50;

/** Debian calls the program `tsp`. It keeps its queue in a server that the first call starts, and forgets all with it. */
const absent = () => unlessInstalled("tsp", "task-spooler");

export const taskSpoolerRate: BenchCase = {
  name: "peer: task-spooler, true",
  unit: "jobs/s",
  floor: "floor: bare Node spawn loop of true",
  absent,
  async run({ cores, folder }) {
    return withServer(folder, async (env) => {
      await runTimed(["tsp", "-S", String(cores)], env);
      const submit = `n=${JOBS}; while [ "$n" -gt 0 ]; do tsp -n /bin/true >/dev/null; n=$((n - 1)); done; tsp -w`;
      const { seconds } = await runTimed(["dash", "-c", submit], env);
      return [JOBS / seconds];
    });
  },
};

export const taskSpoolerStart: BenchCase = {
  name: "peer: task-spooler, submit to start",
  unit: "ms",
  floor: "floor: durable commit + spawn",
  absent,
  async run({ folder }) {
    return withServer(folder, async (env) => {
      await runTimed(["tsp", "-S", "1"], env);
      const probe = openStartProbe(folder);
      const samples: number[] = [];
      for (let n = 0; n < STARTS; n += 1) {
        const running = probe.next();
        const submittedAt = performance.now();
        const child = spawn("tsp", ["-n", ...probe.argv], {
          env: { ...process.env, ...env },
          stdio: "ignore",
        });
        samples.push((await running) - submittedAt);
        if (child.exitCode === null) await once(child, "exit");
        await runTimed(["tsp", "-w"], env);
      }
      await probe.close();
      return samples;
    });
  },
};

async function withServer(
  folder: string,
  work: (env: Record<string, string>) => Promise<number[]>,
): Promise<number[]> {
  const env = {
    TS_SOCKET: join(folder, `tsp-${process.hrtime.bigint()}`),
    TMPDIR: folder,
    TS_MAXFINISHED: "10",
  };
  try {
    return await work(env);
  } finally {
    await runTimed(["tsp", "-K"], env);
  }
}
