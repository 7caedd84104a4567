import { runCommand } from "./run/run-command.ts";

/** `npm run sim`: the whole system in simulated universes. What the words mean says tests/sim/README.md. */
const HOURS_MS = 12 * 60 * 60_000;

const argv = [process.execPath, "tests/sim/run.ts", ...process.argv.slice(2)];
const { exitCode } = await runCommand({ argv, timeoutMs: HOURS_MS, output: "show" });
process.exitCode = exitCode;
