import { relative } from "node:path";
import { REPOSITORY } from "../code/source.ts";
import type { PlaywrightReport, PlaywrightSuite, Totals, VitestReport } from "./totals.ts";

/**
 * Whole-system tests run beside each other on as little as two cores, and one in some thousands meets a pause that it
 * took for a fault. More than two failures are no such pause.
 */
const SECOND_TRIES_MAX = 2;

/** A test by the file that has it and its name there. `where` is what its runner takes to run it, or its file, again. */
export type Outcome = { where: string; name: string; hasPassed: boolean };

/** A run of tests. What failed beside tests (a file that does not load, an unhandled error) is in the totals alone. */
export type TestRun = { totals: Totals; outcomes: Outcome[] };

/** What is to be run again: nothing where something failed that is no test, or too much. */
export function secondTryOf({ totals, outcomes }: TestRun): string[] {
  const failed = outcomes.filter(({ hasPassed }) => !hasPassed);
  const isLittle = failed.length <= SECOND_TRIES_MAX && failed.length === totals.failed;
  return isLittle ? [...new Set(failed.map(({ where }) => where))] : [];
}

/** Passed has what failed at first and passed, by its own name, in a second run without a failure. */
export function afterSecondTry(first: TestRun, second: TestRun): Totals {
  const passed = new Set(second.outcomes.filter(({ hasPassed }) => hasPassed).map(({ name }) => name));
  const failed = first.outcomes.filter(({ hasPassed }) => !hasPassed);
  const isMended = second.totals.failed === 0 && failed.every(({ name }) => passed.has(name));
  const { totals } = first;
  return isMended ? { ...totals, passed: totals.passed + totals.failed, failed: 0 } : totals;
}

/** Never silent: who reads the end of the run sees which tests want mending. */
export function secondTrySentence(first: TestRun, after: Totals): string {
  const names = first.outcomes.filter(({ hasPassed }) => !hasPassed).map(({ name }) => `\n  ${name}`);
  const outcome = after.failed === 0 ? "passed alone, and wants mending" : "failed again";
  return `second try: what failed beside the others ${outcome}:${names.join("")}`;
}

/** Skipped tests have no outcome. */
export function outcomesOfVitest(report: VitestReport | undefined): Outcome[] {
  return (report?.testResults ?? []).flatMap((file) => {
    const where = relative(REPOSITORY, file.name);
    return file.assertionResults
      .filter(({ status }) => status === "passed" || status === "failed")
      .map(({ status, fullName }) => ({
        where,
        name: `${where}: ${fullName}`,
        hasPassed: status === "passed",
      }));
  });
}

export function outcomesOfPlaywright(report: PlaywrightReport | undefined): Outcome[] {
  const ofSuite = ({ specs, suites = [] }: PlaywrightSuite): Outcome[] => [
    ...specs.flatMap(({ file, line, title, tests }) =>
      tests
        .filter(({ status }) => status !== "skipped")
        .map(({ status }) => ({
          where: `${file}:${line}`,
          name: `${file}:${line}: ${title}`,
          hasPassed: status === "expected",
        })),
    ),
    ...suites.flatMap(ofSuite),
  ];
  return (report?.suites ?? []).flatMap(ofSuite);
}
