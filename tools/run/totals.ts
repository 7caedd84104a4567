/** What a run came to. The sum of all runs is the closing line, by which a machine reads the result. */
export type Totals = { passed: number; failed: number; skipped: number };

export const NOTHING: Totals = { passed: 0, failed: 0, skipped: 0 };

export function addTotals(all: Totals[]): Totals {
  return {
    passed: all.reduce((sum, one) => sum + one.passed, 0),
    failed: all.reduce((sum, one) => sum + one.failed, 0),
    skipped: all.reduce((sum, one) => sum + one.skipped, 0),
  };
}

/** Where nobody looks, a test that was not run has proven nothing. */
export function forbidSkips({ passed, failed, skipped }: Totals): Totals {
  return { passed, failed: failed + skipped, skipped: 0 };
}

export function closingLine({ passed, failed, skipped }: Totals): string {
  return `${passed} passed, ${failed} failed, ${skipped} skipped`;
}

export type VitestReport = {
  testResults: { name: string; status: string; assertionResults: { status: string; fullName: string }[] }[];
};

/**
 * Vitest's `json` reporter. A file that could not be loaded has no tests in it, and still failed.
 * @param unhandled errors that no test caught; undefined where the run did not get so far as to count them
 */
export function totalsOfVitest(
  report: VitestReport | undefined,
  exitCode: number,
  unhandled: number | undefined,
): Totals {
  const files = report?.testResults ?? [];
  const statuses = files.flatMap((file) => file.assertionResults.map((test) => test.status));
  const passed = statuses.filter((status) => status === "passed").length;
  const failedTests = statuses.filter((status) => status === "failed").length;
  const brokenFiles = files.filter(
    (file) => file.status === "failed" && !file.assertionResults.some((test) => test.status === "failed"),
  ).length;
  const skipped = statuses.length - passed - failedTests;
  const failed = failedTests + brokenFiles + (unhandled ?? 1);
  return { passed, failed: atLeastOne(failed, exitCode, report), skipped };
}

export type PlaywrightSuite = {
  specs: { file: string; line: number; title: string; tests: { status: string }[] }[];
  suites?: PlaywrightSuite[];
};

export type PlaywrightReport = {
  stats: { expected: number; unexpected: number; flaky: number; skipped: number };
  suites: PlaywrightSuite[];
  /** Outside of tests. */
  errors: unknown[];
};

/** Playwright's `json` reporter. */
export function totalsOfPlaywright(report: PlaywrightReport | undefined, exitCode: number): Totals {
  if (report === undefined) return { ...NOTHING, failed: 1 };
  const { expected, unexpected, flaky, skipped } = report.stats;
  const failed = unexpected + flaky + report.errors.length;
  return { passed: expected, failed: atLeastOne(failed, exitCode, report), skipped };
}

/** A runner that failed without naming a test (a crash, no report at all) failed once. */
function atLeastOne(failed: number, exitCode: number, report: object | undefined): number {
  return exitCode === 0 && report !== undefined ? failed : Math.max(failed, 1);
}
