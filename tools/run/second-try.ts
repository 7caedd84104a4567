import { relative } from "node:path";
import { REPOSITORY } from "../code/source.ts";
import type { Totals, VitestReport } from "./totals.ts";

/**
 * Whole-system tests run beside each other on as little as two cores, and one in some thousands meets a pause that it
 * took for a fault. More than two failures are no such pause.
 */
const SECOND_TRIES_MAX = 2;

/** Whether what failed is little enough to be tried once more, with the machine to itself. */
export function deservesSecondTry({ failed }: Totals): boolean {
  return failed > 0 && failed <= SECOND_TRIES_MAX;
}

/** From the root of the repository; a file that could not be loaded is one of them. */
export function failedFilesOf(report: VitestReport | undefined): string[] {
  const failed = report?.testResults.filter((file) => file.status === "failed") ?? [];
  return failed.map((file) => relative(REPOSITORY, file.name));
}

/** The second run holds what failed, and for Vitest also the rest of those files, which the first has counted. */
export function afterSecondTry(first: Totals, second: Totals): Totals {
  const mended = second.failed === 0 && second.passed >= first.failed;
  return mended ? { ...first, passed: first.passed + first.failed, failed: 0 } : first;
}

/** Never silent: who reads the end of the run sees which tests want mending. */
export function secondTrySentence(first: Totals, second: Totals, what: string[]): string {
  const tests = first.failed === 1 ? "1 test" : `${first.failed} tests`;
  const outcome =
    afterSecondTry(first, second).failed === 0 ? "passed alone, and want mending" : "failed again";
  return `second try: ${tests} of ${what.join(", ")} failed beside the others and ${outcome}`;
}
