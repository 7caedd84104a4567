import { parseArgs } from "node:util";
import { runChecks } from "./run/run-checks.ts";
import { runTests } from "./run/run-tests.ts";
import { type Check, staticChecks } from "./run/static-checks.ts";
import { addTotals, closingLine, forbidSkips } from "./run/totals.ts";

/**
 * `npm run check`: all that CI runs. `--fast` leaves the tests out; `--only imports --only types` runs some checks
 * (`types` means all of `types:*` too).
 */
const { values } = parseArgs({
  options: {
    fast: { type: "boolean", default: false },
    only: { type: "string", multiple: true, default: [] },
  },
});

const all = staticChecks();
const wanted = (check: Check) =>
  values.only.some((name) => check.name === name || check.name.startsWith(`${name}:`));
const chosen = values.only.length === 0 ? all : all.filter(wanted);

if (chosen.length === 0) {
  process.stderr.write(
    `no check is called ${values.only.join(", ")}: ${all.map((one) => one.name).join(" ")}\n`,
  );
  process.exitCode = 2;
} else {
  const checked = await runChecks(chosen);
  const withTests = !values.fast && values.only.length === 0;
  const summed = withTests ? addTotals([checked, await runTests()]) : checked;
  const totals = process.env.CI === "true" ? forbidSkips(summed) : summed;
  if (totals.skipped < summed.skipped) {
    process.stdout.write(`\n${summed.skipped} skipped: in CI, where nobody looks, they count as failed\n`);
  }
  process.stdout.write(`\n${closingLine(totals)}\n`);
  process.exitCode = totals.failed > 0 ? 1 : 0;
}
