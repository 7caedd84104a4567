import { decodeLogTroubles } from "@nexus/shared/api/log-troubles";
import { NexusError } from "@nexus/shared/errors";
import { parseEnvFile } from "../../../apps/cli/src/jobs/env-file.ts";
import { plain } from "../../../apps/cli/src/terminal/plain.ts";
import { createTamer } from "../../../apps/cli/src/terminal/tame.ts";
import { splitCommand } from "../../../apps/web/src/features/submit/split-command.ts";
import { createLineSearch } from "../../../apps/web/src/server/core/logs/line-search.ts";
import { visibleLine } from "../../../apps/web/src/server/core/logs/visible-line.ts";
import { type LogRow, RowScanner } from "../../../apps/web/src/ui/log-view/row-scanner.ts";
import { rowSpans } from "../../../apps/web/src/ui/log-view/spans.ts";
import { BrokenPromise, parserTarget } from "../engine/fuzz-target.ts";

const WORDS = [
  "\x1b[",
  "\x1b[31m",
  "\x1b[0m",
  "\x1b[38;5;9m",
  "\x1b[38;2;1;2;3m",
  "\x1b[2K",
  "\x1b]0;t\x07",
  "\x1bP",
  "\r",
  "\n",
  "\b",
  ";",
];
const SEEDS = [
  "plain\n\x1b[1;31mred\x1b[0m \x1b[38;2;10;20;300mrgb\x1b[m\n",
  "10%\r20%\r\x1b[2K30%\r\n\x1b]8;;https://x\x1b\\link\x1b]8;;\x1b\\\n",
  "caf\u00e9 \ud83d\ude00 \u202e\u0007\b\x9b31m\n",
];

/** A log as the page shows it: the rows cover its bytes, in order, however they arrive. */
export const logViewTarget = parserTarget({
  name: "log-view",
  format: "bytes",
  words: WORDS,
  seeds: SEEDS,
  feed(input) {
    const whole = rowsOf(input, input.length);
    // In pieces of odd sizes; of a long one only its beginning, as the rows are compared as text.
    const short = input.subarray(0, 16_384);
    const [once, pieces] = [rowsOf(short, short.length), rowsOf(short, 7)].map((rows) =>
      JSON.stringify(rows),
    );
    if (once !== pieces) throw new BrokenPromise("the rows of a log depend on how its bytes arrive");
    for (const row of whole) {
      if (row.kind !== "text") continue;
      if (row.start > row.end || row.end > input.length) throw new BrokenPromise("a row beyond its log");
      rowSpans(input.subarray(row.shown, row.end), row.state);
    }
  },
});

/** A log as the terminal shows it: nothing but colours, and the same however it is cut. */
export const terminalTarget = parserTarget({
  name: "terminal",
  format: "bytes",
  words: WORDS,
  seeds: SEEDS,
  feed(input) {
    const shown = tamed(input, input.length);
    if (shown !== tamed(input, 1009))
      throw new BrokenPromise("what a terminal sees depends on how a log was cut");
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for.
    const foreign = /\x1b(?!\[[0-9;:]*[mK])|[\x00-\x07\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f-\x9f]/.exec(shown);
    if (foreign !== null) throw new BrokenPromise(`a terminal was told ${JSON.stringify(foreign[0])}`);
    const text = Buffer.from(input).toString();
    plain(text);
    for (const line of text.split("\n").slice(0, 1000)) visibleLine(line);
  },
});

/** A search for a text finds what a search for the same text as an expression finds. */
export const lineSearchTarget = parserTarget({
  name: "line-search",
  format: "bytes",
  words: [...WORDS, "red", "link", "%"],
  seeds: SEEDS,
  feed(input) {
    const [one, other] = [input.length, 7].map((step) => found(input.subarray(0, 65_536), step));
    if (one !== other) throw new BrokenPromise("what a search finds depends on how the bytes arrive");
    found(input, input.length);
  },
});

/** Small texts that people hand in. */
export const smallTextTarget = parserTarget({
  name: "small-text",
  format: "text",
  words: ["export ", "=", '"', "'", "\\n", "#", "$", "%5B"],
  seeds: [
    "export A=b # c\nB='d e'\nC=\"f\\ng\nh\"\n",
    'python train.py --name \'a b\' "c\\"d" e\\ f',
    "%5B%7B%22code%22%3A%22held%22%7D%5D",
  ],
  feed(input) {
    const text = Buffer.from(input).toString();
    splitCommand(text);
    decodeLogTroubles(text);
    try {
      parseEnvFile(text, "env");
    } catch (cause) {
      if (!(cause instanceof NexusError)) throw cause;
    }
  },
});

function rowsOf(bytes: Uint8Array, step: number): LogRow[] {
  const rows: LogRow[] = [];
  const scanner = new RowScanner(0, (row) => rows.push(row));
  for (let at = 0; at < bytes.length; at += step) scanner.push(bytes.subarray(at, at + step));
  if (scanner.open !== null) rows.push(scanner.open);
  return rows;
}

function tamed(bytes: Uint8Array, step: number): string {
  const tamer = createTamer();
  let text = "";
  for (let at = 0; at < bytes.length; at += step) text += tamer.tame(bytes.subarray(at, at + step));
  return text + tamer.end();
}

function found(bytes: Uint8Array, step: number): string {
  const search = createLineSearch(
    { pattern: "e", isFixed: true, ignoresCase: true, contextLines: 1, linesMax: 100, isTextWanted: true },
    { offset: 0, line: 0 },
  );
  const portions = [];
  for (let at = 0; at < bytes.length; at += step)
    portions.push(...search.push(bytes.subarray(at, at + step)));
  portions.push(...search.end());
  return JSON.stringify([portions.flat(), search.matches()]);
}
