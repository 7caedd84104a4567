import { join } from "node:path";
import { expect, test } from "vitest";
import { REPOSITORY } from "../code/source.ts";
import {
  afterSecondTry,
  outcomesOfPlaywright,
  outcomesOfVitest,
  secondTryOf,
  secondTrySentence,
  type TestRun,
} from "./second-try.ts";

/** `a+` passed, `b-` failed; `others` failed and is no test. */
function run(tests: string, others = 0): TestRun {
  const outcomes = tests.split(" ").map((word) => {
    const name = word.slice(0, -1);
    return { where: `${name}.test.ts`, name, hasPassed: word.endsWith("+") };
  });
  const failed = outcomes.filter(({ hasPassed }) => !hasPassed).length;
  return { outcomes, totals: { passed: outcomes.length - failed, failed: failed + others, skipped: 0 } };
}

test("[C15] one or two failed tests are tried again, more are not", () => {
  expect(secondTryOf(run("a+ b+"))).toEqual([]);
  expect(secondTryOf(run("a+ b- c-"))).toEqual(["b.test.ts", "c.test.ts"]);
  expect(secondTryOf(run("a- b- c-"))).toEqual([]);
});

test("[C15] beside a failure that is no test nothing is tried again", () => {
  expect(secondTryOf(run("a+ b-", 1))).toEqual([]);
  expect(secondTryOf({ outcomes: [], totals: { passed: 0, failed: 1, skipped: 0 } })).toEqual([]);
});

test("[C15] what failed once and passed alone has passed; what failed again, or was not run again, has failed", () => {
  const first = run("a+ b-");
  expect(afterSecondTry(first, run("b+ c+"))).toEqual({ passed: 2, failed: 0, skipped: 0 });
  for (const second of [run("b-"), run("b+ c-"), run("c+ d+"), run("b+", 1)])
    expect(afterSecondTry(first, second)).toEqual(first.totals);
});

test("[C15] a second try is told with the names of its tests, whatever came of it", () => {
  const first = run("a+ b-");
  expect(secondTrySentence(first, afterSecondTry(first, run("b+")))).toBe(
    "second try: what failed beside the others passed alone, and wants mending:\n  b",
  );
  expect(secondTrySentence(first, first.totals)).toContain("failed again");
});

test("[C15] both runners' reports name each test that was run", () => {
  const assertionResults = ["passed", "failed", "pending"].map((status) => ({
    status,
    fullName: `is ${status}`,
  }));
  const file = { name: join(REPOSITORY, "a.test.ts"), status: "failed", assertionResults };
  expect(outcomesOfVitest({ testResults: [file] })).toEqual([
    { where: "a.test.ts", name: "a.test.ts: is passed", hasPassed: true },
    { where: "a.test.ts", name: "a.test.ts: is failed", hasPassed: false },
  ]);
  const spec = (line: number, status: string) => ({
    file: "b.e2e.ts",
    line,
    title: "t",
    tests: [{ status }],
  });
  const suites = [
    { specs: [spec(3, "expected")], suites: [{ specs: [spec(9, "unexpected"), spec(12, "skipped")] }] },
  ];
  const stats = { expected: 1, unexpected: 1, flaky: 0, skipped: 1 };
  expect(outcomesOfPlaywright({ stats, suites, errors: [] })).toEqual([
    { where: "b.e2e.ts:3", name: "b.e2e.ts:3: t", hasPassed: true },
    { where: "b.e2e.ts:9", name: "b.e2e.ts:9: t", hasPassed: false },
  ]);
});
