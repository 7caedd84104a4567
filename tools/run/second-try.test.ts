import { join } from "node:path";
import { expect, test } from "vitest";
import { REPOSITORY } from "../code/source.ts";
import { afterSecondTry, deservesSecondTry, failedFilesOf, secondTrySentence } from "./second-try.ts";

const totals = (passed: number, failed: number) => ({ passed, failed, skipped: 0 });

test("[C15] one or two failures are tried again, more are not", () => {
  expect([0, 1, 2, 3].map((failed) => deservesSecondTry(totals(9, failed)))).toEqual([
    false,
    true,
    true,
    false,
  ]);
});

test("[C15] the files with a failed test are run again", () => {
  const file = (name: string, status: string) => ({
    name: join(REPOSITORY, name),
    status,
    assertionResults: [],
  });
  expect(
    failedFilesOf({ testResults: [file("a.test.ts", "passed"), file("b/c.test.ts", "failed")] }),
  ).toEqual(["b/c.test.ts"]);
});

test("[C15] what failed once and passed alone has passed; what failed twice, or was not run again, has failed", () => {
  expect(afterSecondTry(totals(9, 1), totals(4, 0))).toEqual(totals(10, 0));
  expect(afterSecondTry(totals(9, 1), totals(3, 1))).toEqual(totals(9, 1));
  expect(afterSecondTry(totals(9, 2), totals(0, 0))).toEqual(totals(9, 2));
});

test("[C15] a second try is told, whatever came of it", () => {
  expect(secondTrySentence(totals(9, 1), totals(4, 0), ["b.test.ts"])).toBe(
    "second try: 1 test of b.test.ts failed beside the others and passed alone, and want mending",
  );
  expect(secondTrySentence(totals(9, 2), totals(3, 1), ["browser tests"])).toContain("failed again");
});
