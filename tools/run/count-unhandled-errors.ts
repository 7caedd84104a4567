import { writeFileSync } from "node:fs";
import type { Reporter } from "vitest/node";

/**
 * A reporter of Vitest's that writes, to the file that UNHANDLED_ERRORS_FILE names, how many errors no test caught: the
 * `json` reporter leaves them out, and beside a failed test they would look like that one.
 */
export default class CountUnhandledErrors implements Reporter {
  onTestRunEnd(_modules: readonly unknown[], unhandledErrors: readonly unknown[]): void {
    const file = process.env.UNHANDLED_ERRORS_FILE;
    if (file !== undefined) writeFileSync(file, String(unhandledErrors.length));
  }
}
