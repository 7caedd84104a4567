/** `npm run chaos`: see README.md beside this file. */
import { writeFileSync } from "node:fs";
import { readChaosOptions, USAGE } from "./chaos-options.ts";
import { chaosTable } from "./report.ts";
import { runChaos } from "./run-chaos.ts";

const EXIT_USAGE = 64;

process.exitCode = await main(process.argv.slice(2));
process.exit();

async function main(argv: string[]): Promise<number> {
  let options: ReturnType<typeof readChaosOptions>;
  try {
    options = readChaosOptions(argv);
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n\n${USAGE}\n`);
    return EXIT_USAGE;
  }
  const say = (line: string) => process.stdout.write(`${line}\n`);
  const { jobs, faults, agents, seed } = options;
  say(`${jobs} jobs under ${faults.length} faults on ${agents} nodes, seed ${seed}`);
  const beganMs = performance.now();
  const report = await runChaos(options, say);
  say(`\n${chaosTable(report)}\n`);
  if (options.json !== null) writeFileSync(options.json, `${JSON.stringify(report, null, 2)}\n`);
  say(
    `${report.isClean ? "clean" : "NOT clean"}, ${Math.round((performance.now() - beganMs) / 1000)} s, seed ${seed}`,
  );
  if (!report.isClean || options.keep) {
    say(
      `Everything is in ${report.folder}: house.log says what ended, control-plane.out and node*.out what the parts said,`,
    );
    say(
      `starts/ and wrote/ what each job did by its own account. Again: npm run chaos -- --seed ${seed} --jobs ${jobs} --agents ${agents} --faults ${faults.map(({ name }) => name).join(",")}`,
    );
  }
  return report.isClean ? 0 : 1;
}
