import { type Ended, runCommand } from "./run-command.ts";
import type { Check } from "./static-checks.ts";
import { NOTHING, type Totals } from "./totals.ts";

// A check that uses a second core for itself (tsc, biome) already fills a small machine.
const AT_ONCE_MAX = 2;
const CHECK_TIMEOUT_MS = 5 * 60_000;

/** Runs the checks two at a time: one line each, and the whole output of those that failed. */
export async function runChecks(checks: Check[]): Promise<Totals> {
  const waiting = [...checks];
  const failures: { check: Check; ended: Ended }[] = [];
  const width = Math.max(...checks.map((check) => check.name.length));
  const work = async (): Promise<void> => {
    for (let check = waiting.shift(); check; check = waiting.shift()) {
      const { argv, cwd } = check;
      const ended = await runCommand({
        argv,
        timeoutMs: CHECK_TIMEOUT_MS,
        output: "keep",
        ...(cwd === undefined ? {} : { cwd }),
      });
      const ok = ended.exitCode === 0;
      if (!ok) failures.push({ check, ended });
      print(`${check.name.padEnd(width)}  ${ok ? "ok    " : "failed"}  ${ended.seconds.toFixed(1)} s`);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE_MAX }, work));
  for (const { check, ended } of failures) {
    print(`\n── ${check.name} ${"─".repeat(60)}\n${ended.output.trim()}`);
  }
  return { ...NOTHING, passed: checks.length - failures.length, failed: failures.length };
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
