import { parseArgs } from "node:util";
import { runCommand } from "./run/run-command.ts";

/**
 * `npm run fuzz -- --target NAME --seconds N [--seed N] [--keep-ways]`: inputs that nobody meant, for as long as asked; without a
 * target each gets its turn. What the words mean says tests/fuzz/README.md.
 */
const HOURS_MS = 24 * 60 * 60_000;

const { values } = parseArgs({
  options: {
    target: { type: "string" },
    seconds: { type: "string", default: "60" },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    "keep-ways": { type: "boolean", default: false },
  },
});
const order = {
  target: values.target ?? null,
  seconds: wholeNumber("seconds", values.seconds),
  seed: wholeNumber("seed", values.seed),
  keepsNewWays: values["keep-ways"],
};
process.stdout.write(`seed ${order.seed}\n`);
const { exitCode } = await runCommand({
  argv: ["vitest", "run", "tests/fuzz", "--disable-console-intercept"],
  env: { ...process.env, NEXUS_FUZZ: JSON.stringify(order) },
  timeoutMs: HOURS_MS,
  output: "show",
});
process.exitCode = exitCode;

function wholeNumber(name: string, text: string): number {
  const number = Number(text);
  if (Number.isInteger(number) && number > 0) return number;
  throw new RangeError(`--${name} must be a whole number above 0, not ${text}.`);
}
