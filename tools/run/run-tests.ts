import { globSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { REPOSITORY } from "../code/source.ts";
import { providePrograms } from "./provide-programs.ts";
import { runCommand } from "./run-command.ts";
import {
  afterSecondTry,
  outcomesOfPlaywright,
  outcomesOfVitest,
  secondTryOf,
  secondTrySentence,
  type TestRun,
} from "./second-try.ts";
import {
  addTotals,
  NOTHING,
  type PlaywrightReport,
  type Totals,
  totalsOfPlaywright,
  totalsOfVitest,
  type VitestReport,
} from "./totals.ts";

const BUILD_TIMEOUT_MS = 6 * 60_000;
const VITEST_TIMEOUT_MS = 25 * 60_000;
const PLAYWRIGHT_TIMEOUT_MS = 10 * 60_000;

/**
 * Everything but the static checks: builds what people run, then unit, property, integration and whole-system tests
 * by Vitest, then the browser tests by Playwright.
 */
export async function runTests(): Promise<Totals> {
  const { env, missing } = await providePrograms();
  for (const sentence of missing) process.stdout.write(`${sentence}\n`);
  const built = await build();
  const reports = mkdtempSync(join(tmpdir(), "nexus-reports-"));
  try {
    const unit = await runVitest(reports, env);
    const browser = await runPlaywright(reports, env);
    return addTotals([unit, browser, { ...NOTHING, failed: missing.length + (built ? 0 : 1) }]);
  } finally {
    rmSync(reports, { recursive: true, force: true });
  }
}

/** Whole-system and browser tests run the bundles that users run. Turbo builds again only what changed. */
export async function build(): Promise<boolean> {
  const argv = ["turbo", "run", "build", "--output-logs=errors-only"];
  const { exitCode, output, seconds } = await runCommand({
    argv,
    timeoutMs: BUILD_TIMEOUT_MS,
    output: "keep",
  });
  const isBuilt = exitCode === 0;
  process.stdout.write(
    `\nbuild  ${isBuilt ? "ok" : "failed"}  ${seconds.toFixed(1)} s\n${isBuilt ? "" : output}`,
  );
  return isBuilt;
}

async function runVitest(folder: string, env: Record<string, string>): Promise<Totals> {
  return await withSecondTry(async (name, more) => {
    const file = join(folder, `vitest-${name}.json`);
    const unhandled = join(folder, `vitest-${name}-unhandled.json`);
    const argv = ["vitest", "run", "--reporter=default", "--reporter=json", `--outputFile.json=${file}`];
    const again = more.length > 0 ? ["--no-file-parallelism", ...more] : [];
    const { exitCode } = await runCommand({
      argv: [...argv, "--reporter=./tools/run/count-unhandled-errors.ts", ...again],
      env: { ...env, UNHANDLED_ERRORS_FILE: unhandled },
      timeoutMs: VITEST_TIMEOUT_MS,
      output: "show",
    });
    const report = readReport<VitestReport>(file);
    const totals = totalsOfVitest(report, exitCode, readReport<number>(unhandled));
    return { totals, outcomes: outcomesOfVitest(report) };
  });
}

async function runPlaywright(folder: string, env: Record<string, string>): Promise<Totals> {
  if (globSync("tests/e2e/**/*.e2e.ts", { cwd: REPOSITORY }).length === 0) return NOTHING;
  return await withSecondTry(async (name, more) => {
    const file = join(folder, `playwright-${name}.json`);
    const argv = ["playwright", "test", "--config=tests/e2e/playwright.config.ts", "--reporter=list,json"];
    // What the first run kept of a failure stays where it is.
    const again = more.length > 0 ? ["--workers=1", "--output=test-results/again", ...more] : [];
    const { exitCode } = await runCommand({
      argv: [...argv, ...again],
      env: { ...env, PLAYWRIGHT_JSON_OUTPUT_FILE: file },
      timeoutMs: PLAYWRIGHT_TIMEOUT_MS,
      output: "show",
    });
    const report = readReport<PlaywrightReport>(file);
    return { totals: totalsOfPlaywright(report, exitCode), outcomes: outcomesOfPlaywright(report) };
  });
}

/** @param run everything, or `more` alone and with the machine to itself */
async function withSecondTry(run: (name: string, more: string[]) => Promise<TestRun>): Promise<Totals> {
  const first = await run("first", []);
  const failed = secondTryOf(first);
  if (failed.length === 0) return first.totals;
  const after = afterSecondTry(first, await run("again", failed));
  process.stdout.write(`\n${secondTrySentence(first, after)}\n`);
  return after;
}

/** The runners' own files: their shape is theirs, and a broken or absent one counts as a failed run. */
function readReport<Report>(file: string): Report | undefined {
  try {
    return JSON.parse(readFileSync(file, "utf8")) as Report;
  } catch {
    return undefined;
  }
}
