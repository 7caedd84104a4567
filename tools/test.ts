import { providePrograms } from "./run/provide-programs.ts";
import { runCommand } from "./run/run-command.ts";
import { build } from "./run/run-tests.ts";

/**
 * `npm test`: the checks, then all tests; the same as `npm run check`.
 * `npm test -- apps/agent session` runs the tests whose path holds one of the words, and nothing else.
 */
const words = process.argv.slice(2);
const HOUR_MS = 60 * 60_000;

if (words.length === 0) {
  await import("./check.ts");
} else {
  const { env, missing } = await providePrograms();
  for (const sentence of missing) process.stdout.write(`${sentence}\n`);
  const browser = words.some((word) => word.includes("e2e"));
  if (browser || words.some((word) => word.startsWith("tests"))) await build();
  const argv = browser
    ? [
        "playwright",
        "test",
        "--config=tests/e2e/playwright.config.ts",
        ...words.map((word) => word.replace(/^.*e2e\//, "")),
      ]
    : ["vitest", "run", ...words];
  const { exitCode } = await runCommand({ argv, env, timeoutMs: HOUR_MS, output: "show" });
  process.exitCode = exitCode;
}
