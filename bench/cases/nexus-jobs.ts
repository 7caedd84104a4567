import { isFinal, JOB_STATES } from "@nexus/shared/machines/job";
import { until } from "../../tests/harness/until.ts";
import type { BenchCase } from "../bench-case.ts";
import { openNexus, unlessBuilt } from "../nexus.ts";
import { openStartProbe } from "../start-probe.ts";

const STARTS = 100;
const JOBS = 1000;
const JOBS_LIMIT_MS = 5 * 60_000;

/** Over the API, as the CLI does it, on a target that does nothing else. */
export const nexusStart: BenchCase = {
  name: "Nexus, submit to start",
  unit: "ms",
  floor: "floor: durable commit + spawn",
  absent: unlessBuilt,
  async run(ctx) {
    const { nexus } = await openNexus(ctx);
    const probe = openStartProbe(ctx.folder);
    const samples: number[] = [];
    for (let n = 0; n < STARTS; n += 1) {
      const running = probe.next();
      const submittedAt = performance.now();
      const job = await nexus.submit({ command: probe.argv });
      samples.push((await running) - submittedAt);
      await nexus.ended(job.id);
    }
    await probe.close();
    return samples;
  },
};

/** From the submission until the last of them is closed in the database. */
export const nexusRate: BenchCase = {
  name: "Nexus, true",
  unit: "jobs/s",
  floor: "floor: bare Node spawn loop of true",
  absent: unlessBuilt,
  async run(ctx) {
    const { nexus } = await openNexus(ctx);
    const open = JOB_STATES.filter((state) => !isFinal(state));
    const started = performance.now();
    await nexus.call("jobs.submit", {
      jobs: Array.from({ length: JOBS }, () => ({ command: ["/bin/true"] })),
    });
    // The first question is answered from the server's memory. Asking the database every time took a fifth of the machine.
    await until(
      "all jobs have ended",
      async () =>
        (await nexus.call("fleet.list", undefined)).targets.every(({ jobsActive }) => jobsActive === 0) &&
        (await nexus.call("jobs.list", { states: open, limit: 1 })).total === 0,
      JOBS_LIMIT_MS,
    );
    return [JOBS / ((performance.now() - started) / 1000)];
  },
};
