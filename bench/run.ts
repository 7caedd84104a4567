import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { BenchCase, BenchContext } from "./bench-case.ts";
import { ALL_CASES } from "./cases/all-cases.ts";
import { describeMachine, waitForQuiet } from "./machine.ts";
import { type Absent, formatTable, type Measured, type Result, toRows } from "./result.ts";
import { createShares } from "./share.ts";

/**
 * `npm run bench`: every case in every round, one table, and `results.json` beside this file, which is in git: the
 * figures in the README come from it. `npm run bench -- slurm spawn` runs the cases whose name holds one of the words
 * and writes nothing; `--rounds 1` is for a quick look.
 */
const ROUNDS = 3;
const NOISY_SHARE = 0.1;
const RESULTS = join(import.meta.dirname, "results.json");

const { values, positionals } = parseArgs({
  options: { rounds: { type: "string", default: String(ROUNDS) } },
  allowPositionals: true,
});
const chosen = ALL_CASES.filter((one) =>
  positionals.length === 0 ? !one.isByName : positionals.some((word) => one.name.includes(word)),
);
const result = await measure(chosen, Number(values.rounds));
const { machine } = result;
process.stdout.write(
  `\n${machine.cpu}, ${machine.cores} cores, ${machine.memoryGib} GiB, ${machine.kernel}, Node ${machine.node}\n\n${formatTable(result)}\n`,
);
if (positionals.length === 0) writeFileSync(RESULTS, `${JSON.stringify(result, null, 2)}\n`);

async function measure(cases: BenchCase[], rounds: number): Promise<Result> {
  const absent = cases.flatMap((bench): Absent[] => {
    const reason = bench.absent?.();
    return reason === undefined ? [] : [{ name: bench.name, reason }];
  });
  const present = cases.filter((bench) => !absent.some((one) => one.name === bench.name));
  const measured: Measured[] = present.map((bench) => ({ bench, samples: [], isNoisy: false }));
  const folder = mkdtempSync(join(tmpdir(), "nexus-bench-"));
  const shares = createShares();
  const ctx: BenchContext = { cores: availableParallelism(), folder, share: shares.share };
  try {
    for (let round = 1; round <= rounds; round += 1) {
      for (const one of measured) {
        if (round > (one.bench.rounds ?? rounds)) continue;
        process.stderr.write(`round ${round} of ${rounds}: ${one.bench.name}\n`);
        const busyShare = await waitForQuiet();
        one.isNoisy ||= (busyShare ?? 0) > NOISY_SHARE;
        one.samples.push(...(await one.bench.run(ctx)));
      }
    }
  } finally {
    await shares.closeAll();
    rmSync(folder, { recursive: true, force: true });
  }
  return { measuredAt: new Date().toISOString(), machine: describeMachine(), rows: toRows(measured), absent };
}
