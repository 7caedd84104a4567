import { runCommand } from "./run/run-command.ts";
import { build } from "./run/run-tests.ts";

/** `npm run bench`: builds what users run, then measures it. What the words mean says bench/run.ts. */
const HOUR_MS = 60 * 60_000;

if (await build()) {
  const argv = [process.execPath, "bench/run.ts", ...process.argv.slice(2)];
  const { exitCode } = await runCommand({ argv, timeoutMs: HOUR_MS, output: "show" });
  process.exitCode = exitCode;
} else {
  process.exitCode = 1;
}
