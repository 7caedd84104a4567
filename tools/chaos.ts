import { runCommand } from "./run/run-command.ts";
import { build } from "./run/run-tests.ts";

/** `npm run chaos`: builds what users run, then torments it. What the words mean says tests/chaos/README.md. */
const HOURS_MS = 4 * 60 * 60_000;

if (await build()) {
  const argv = [process.execPath, "tests/chaos/run.ts", ...process.argv.slice(2)];
  const { exitCode } = await runCommand({ argv, timeoutMs: HOURS_MS, output: "show" });
  process.exitCode = exitCode;
} else {
  process.exitCode = 1;
}
