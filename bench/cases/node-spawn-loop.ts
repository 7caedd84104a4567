import type { BenchCase } from "../bench-case.ts";
import { runTimed } from "../run-timed.ts";

const JOBS = 1000;
const REPEATS = 2;

/**
 * Runs in a Node of its own, since spawn copies the page tables of whoever calls it: the bench itself is larger.
 * As many at a time as there are cores, no pipes: the fastest that plain Node does here.
 */
const LOOP = `
  const { spawn } = require("node:child_process");
  const [jobs, atOnce] = process.argv.slice(1).map(Number);
  const started = performance.now();
  let left = jobs, running = 0;
  const next = () => {
    while (running < atOnce && left > 0) {
      left -= 1;
      running += 1;
      spawn("/bin/true", { stdio: "ignore" }).on("exit", () => { running -= 1; next(); });
    }
    if (left === 0 && running === 0) console.log((performance.now() - started) / 1000);
  };
  next();
`;

export const nodeSpawnLoop: BenchCase = {
  name: "floor: bare Node spawn loop of true",
  unit: "jobs/s",
  async run({ cores }) {
    const rates: number[] = [];
    for (let n = 0; n < REPEATS; n += 1) {
      const { stdout } = await runTimed([process.execPath, "-e", LOOP, String(JOBS), String(cores)]);
      rates.push(JOBS / Number(stdout));
    }
    return rates;
  },
};
