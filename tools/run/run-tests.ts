import { globSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { REPOSITORY } from "../code/source.ts";
import { providePrograms } from "./provide-programs.ts";
import { runCommand } from "./run-command.ts";
import { afterSecondTry, deservesSecondTry, failedFilesOf, secondTrySentence } from "./second-try.ts";
import {
  addTotals,
  NOTHING,
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
  const run = async (name: string, more: string[]) => {
    const file = join(folder, name);
    const argv = [
      "vitest",
      "run",
      "--reporter=default",
      "--reporter=json",
      `--outputFile.json=${file}`,
      ...more,
    ];
    const { exitCode } = await runCommand({ argv, env, timeoutMs: VITEST_TIMEOUT_MS, output: "show" });
    const report = readReport<VitestReport>(file);
    return { report, totals: totalsOfVitest(report, exitCode) };
  };
  const first = await run("vitest.json", []);
  const failed = failedFilesOf(first.report);
  if (failed.length === 0 || !deservesSecondTry(first.totals)) return first.totals;
  const second = await run("vitest-again.json", ["--no-file-parallelism", ...failed]);
  return tell(first.totals, second.totals, failed);
}

async function runPlaywright(folder: string, env: Record<string, string>): Promise<Totals> {
  if (globSync("tests/e2e/**/*.e2e.ts", { cwd: REPOSITORY }).length === 0) return NOTHING;
  const run = async (name: string, more: string[]) => {
    const file = join(folder, name);
    const argv = [
      "playwright",
      "test",
      "--config=tests/e2e/playwright.config.ts",
      "--reporter=list,json",
      ...more,
    ];
    const { exitCode } = await runCommand({
      argv,
      env: { ...env, PLAYWRIGHT_JSON_OUTPUT_FILE: file },
      timeoutMs: PLAYWRIGHT_TIMEOUT_MS,
      output: "show",
    });
    return totalsOfPlaywright(readReport(file), exitCode);
  };
  const first = await run("playwright.json", []);
  if (!deservesSecondTry(first)) return first;
  const second = await run("playwright-again.json", ["--last-failed", "--workers=1"]);
  return tell(first, second, ["browser tests"]);
}

function tell(first: Totals, second: Totals, what: string[]): Totals {
  process.stdout.write(`\n${secondTrySentence(first, second, what)}\n`);
  return afterSecondTry(first, second);
}

/** The runners' own files: their shape is theirs, and a broken or absent one counts as a failed run. */
function readReport<Report>(file: string): Report | undefined {
  try {
    return JSON.parse(readFileSync(file, "utf8")) as Report;
  } catch {
    return undefined;
  }
}
