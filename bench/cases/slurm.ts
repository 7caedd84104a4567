import type { BenchCase, BenchContext } from "../bench-case.ts";
import { type Slurm, startSlurm } from "../peers/start-slurm.ts";
import { runTimed, unlessInstalled } from "../run-timed.ts";
import { openStartProbe } from "../start-probe.ts";

const JOBS = 200;
const STARTS = 7;
const LOOK_MS = 100;

const absent = () =>
  unlessInstalled("slurmctld", "slurmctld slurmd slurm-client") ??
  unlessInstalled("slurmd", "slurmd") ??
  unlessInstalled("sbatch", "slurm-client");

export const slurmRate: BenchCase = {
  name: "peer: Slurm array, true",
  unit: "jobs/s",
  floor: "floor: bare Node spawn loop of true",
  absent,
  async run(ctx) {
    const { env } = await slurm(ctx);
    const started = performance.now();
    await runTimed(["sbatch", `--array=1-${JOBS}`, "-o", "/dev/null", "--wrap", "/bin/true"], env);
    await becomeEmpty(env);
    const seconds = (performance.now() - started) / 1000;
    return [JOBS / seconds];
  },
};

export const slurmStart: BenchCase = {
  name: "peer: Slurm sbatch, submit to start",
  unit: "ms",
  floor: "floor: durable commit + spawn",
  absent,
  async run(ctx) {
    const { env } = await slurm(ctx);
    const probe = openStartProbe(ctx.folder);
    const samples: number[] = [];
    for (let n = 0; n < STARTS; n += 1) {
      const running = probe.next();
      const submittedAt = performance.now();
      const submitted = runTimed(["sbatch", "-o", "/dev/null", "--wrap", probe.argv.at(-1) ?? ""], env);
      samples.push((await running) - submittedAt);
      await submitted;
      await becomeEmpty(env);
    }
    await probe.close();
    return samples;
  },
};

/** `sbatch --wait` looks only every few seconds; asking more often than this would slow the controller. */
async function becomeEmpty(env: Record<string, string>): Promise<void> {
  for (;;) {
    const { stdout } = await runTimed(["squeue", "-h", "-t", "PENDING,RUNNING,COMPLETING"], env);
    if (stdout.trim() === "") return;
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}

function slurm(ctx: BenchContext): Promise<Slurm> {
  return ctx.share("slurm", () => startSlurm(ctx.folder));
}
