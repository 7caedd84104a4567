import { expect, test } from "vitest";
import { keepInput } from "./engine/corpus.ts";
import type { FuzzTarget } from "./engine/fuzz-target.ts";
import { type FuzzReport, runTarget } from "./engine/run-target.ts";
import { AGENTS, GATES, PARSERS, SERVICES } from "./targets/all-targets.ts";

/**
 * A slice of each target with `npm test`: all that is kept, then what a moment allows. `npm run fuzz` runs this file with an order in
 * the environment, as the database of the tests is at hand here.
 */
const SLICE_MS = 400;
const SLICE_INPUTS = 300;
const order = process.env.NEXUS_FUZZ ? (JSON.parse(process.env.NEXUS_FUZZ) as LongRun) : null;
const CLOSING_MS = 60_000;

type LongRun = { target: string | null; seconds: number; seed: number; keepsNewWays: boolean };

const chosen = (targets: FuzzTarget[]) =>
  targets.filter(({ name }) => order === null || order.target === null || order.target === name);
const timeoutMs = (targets: FuzzTarget[]) =>
  order === null ? 60_000 : targets.length * order.seconds * 1000 + CLOSING_MS;

async function run(target: FuzzTarget): Promise<FuzzReport> {
  const report = await runTarget({
    target,
    seed: order?.seed ?? 1,
    timeMs: order === null ? SLICE_MS : order.seconds * 1000,
    inputsMax: order === null ? SLICE_INPUTS : Number.POSITIVE_INFINITY,
    isGuided: order !== null,
    findingsMax: order === null ? 1 : 20,
    ...(order?.keepsNewWays ? { onNewWay: (input) => void keepInput(target.name, "way", input) } : {}),
  });
  if (order !== null) tell(target, report);
  return report;
}

function tell({ name }: FuzzTarget, { inputs, ways, pool, slowestMs, findings }: FuzzReport): void {
  process.stdout.write(
    `${name.padEnd(16)} ${inputs} inputs, ${ways} ways, ${pool} kept, slowest ${slowestMs.toFixed(0)} ms, ${findings.length} findings\n`,
  );
  for (const { input, problem } of findings)
    process.stdout.write(
      `  ${keepInput(name, "found", input)}\n  ${problem.slice(0, 1500).replaceAll("\n", "\n  ")}\n`,
    );
}

/** What of it broke a promise, with the input, so that a failed slice can be played again. */
function broken(report: FuzzReport): string[] {
  return report.findings.map(
    ({ input, problem }) => `${Buffer.from(input).toString("base64").slice(0, 2000)}: ${problem}`,
  );
}

test(
  "[W70] whatever a file, a frame or a text holds, it is read or refused, within its time and memory",
  async () => {
    for (const target of chosen(PARSERS)) expect(broken(await run(target)), target.name).toEqual([]);
  },
  timeoutMs(PARSERS),
);

test(
  "[W71] [W72] whatever is asked of the API is answered from the table of errors and never as a fault of ours, tells no secret, and changes nothing where it is refused",
  async () => {
    for (const target of chosen(SERVICES)) expect(broken(await run(target)), target.name).toEqual([]);
  },
  timeoutMs(SERVICES),
);

test(
  "[W73] [W74] whatever a node or a stranger sends, in whatever order, its session goes on or ends with a sentence, nothing is left half done, and no other node notices",
  async () => {
    for (const target of chosen(GATES)) expect(broken(await run(target)), target.name).toEqual([]);
  },
  timeoutMs(GATES),
);

test(
  "[W75] whatever the pinned server says, an agent runs only what was rightly ordered, loses no running job, and goes on",
  async () => {
    for (const target of chosen(AGENTS)) expect(broken(await run(target)), target.name).toEqual([]);
  },
  timeoutMs(AGENTS),
);
