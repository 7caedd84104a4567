import { expect, test } from "vitest";
import { addTotals, closingLine, forbidSkips, totalsOfPlaywright, totalsOfVitest } from "./totals.ts";

const file = (status: string, ...tests: string[]) => ({
  name: "a.test.ts",
  status,
  assertionResults: tests.map((one) => ({ status: one, fullName: one })),
});

test("[C13] the closing line sums all runs", () => {
  const sum = addTotals([
    { passed: 3, failed: 0, skipped: 1 },
    { passed: 4, failed: 2, skipped: 0 },
  ]);
  expect(closingLine(sum)).toBe("7 passed, 2 failed, 1 skipped");
});

test("[C13] passed, failed and skipped tests are told apart", () => {
  const report = {
    testResults: [file("failed", "passed", "failed", "skipped"), file("passed", "passed", "todo")],
  };
  expect(totalsOfVitest(report, 1, 0)).toEqual({ passed: 2, failed: 1, skipped: 2 });
});

test("[C13] a file that cannot be loaded counts as failed", () => {
  expect(totalsOfVitest({ testResults: [file("failed"), file("passed", "passed")] }, 1, 0)).toEqual({
    passed: 1,
    failed: 1,
    skipped: 0,
  });
});

test("[C13] a run that failed without a failed test, or left no report, counts as failed once", () => {
  const whole = { testResults: [file("passed", "passed")] };
  expect(totalsOfVitest(whole, 1, 0).failed).toBe(1);
  expect(totalsOfVitest(whole, 0, undefined).failed).toBe(1);
  expect(totalsOfVitest(undefined, 0, undefined).failed).toBe(1);
  expect(totalsOfPlaywright(undefined, 1).failed).toBe(1);
});

test("[C13] an error that no test caught counts beside the tests that failed", () => {
  expect(totalsOfVitest({ testResults: [file("failed", "failed")] }, 1, 2).failed).toBe(3);
  const stats = { expected: 5, unexpected: 1, flaky: 0, skipped: 0 };
  expect(totalsOfPlaywright({ stats, suites: [], errors: ["one"] }, 1).failed).toBe(2);
});

test("[C13] a browser test that needed a retry of the runner's own failed", () => {
  const stats = { expected: 5, unexpected: 1, flaky: 1, skipped: 2 };
  expect(totalsOfPlaywright({ stats, suites: [], errors: [] }, 1)).toEqual({
    passed: 5,
    failed: 2,
    skipped: 2,
  });
});

test("[C13] in CI a skipped test is a failed one", () => {
  expect(forbidSkips({ passed: 5, failed: 1, skipped: 2 })).toEqual({ passed: 5, failed: 3, skipped: 0 });
});
