import type { LogLineFound } from "@nexus/shared/api/log-search";
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  createLineSearch,
  LINE_BYTES_MAX,
  type LineSearchQuery,
  PORTION_LINES,
  TEXT_CHARS_MAX,
} from "./line-search.ts";
import { visibleLine } from "./visible-line.ts";

const ALL = { isFixed: false, ignoresCase: false, contextLines: 0, linesMax: 1e9, isTextWanted: true };

function searched(
  text: string | Uint8Array,
  query: Partial<LineSearchQuery> & { pattern: string },
  cuts: number[] = [],
): { lines: LogLineFound[]; matches: number } {
  const bytes = Buffer.from(text);
  const search = createLineSearch({ ...ALL, ...query }, { line: 0, offset: 0 });
  const lines: LogLineFound[] = [];
  let at = 0;
  for (const cut of [...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length]) {
    for (const portion of search.push(bytes.subarray(at, cut))) lines.push(...portion);
    at = cut;
  }
  for (const portion of search.end()) lines.push(...portion);
  return { lines, matches: search.matches() };
}

const shown = (lines: LogLineFound[]) =>
  lines.map(({ line, text, isContext }) => `${line}${isContext ? "-" : ":"}${text}`);

/** As plain as can be: every line by itself. */
function expected(text: Buffer, query: LineSearchQuery): string[] {
  const lines = text.toString().split("\n").map(visibleLine);
  if (text.at(-1) === 10 || text.length === 0) lines.pop();
  const flags = query.ignoresCase ? "im" : "m";
  const source = query.isFixed ? query.pattern.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&") : query.pattern;
  const hits = lines.map((line) => new RegExp(source, flags).test(line));
  return lines.flatMap((line, at) => {
    if (hits[at]) return [`${at + 1}:${line}`];
    const near = hits.slice(Math.max(0, at - query.contextLines), at + query.contextLines + 1).some(Boolean);
    return near ? [`${at + 1}-${line}`] : [];
  });
}

const PATTERNS = [
  "a",
  "^a",
  "b$",
  "a.b",
  "a\\s+b",
  "[^a]",
  "^$",
  "(?!b)a",
  "a(?=\\n)",
  "é",
  "[é-ü]a",
  "x*",
  "a|^b",
  "\\bab\\b",
  "A",
];
const piece = fc.constantFrom(
  "a",
  "b",
  "A",
  "ab",
  " ",
  "\n",
  "\n\n",
  "\r",
  "\r\n",
  "é",
  "\u001b[31m",
  "\u001b[0m",
  "😀",
  "x",
);

test("[L18] what is found is what each line alone gives, wherever the bytes are cut", () => {
  fc.assert(
    fc.property(
      fc.array(piece, { maxLength: 60 }).map((parts) => parts.join("")),
      fc.record({
        pattern: fc.constantFrom(...PATTERNS),
        isFixed: fc.boolean(),
        ignoresCase: fc.boolean(),
        contextLines: fc.nat(3),
      }),
      fc.array(fc.nat(200), { maxLength: 5 }),
      (text, query, cuts) => {
        const whole = { ...ALL, ...query };
        const { lines, matches } = searched(text, whole, cuts);
        expect(shown(lines)).toEqual(expected(Buffer.from(text), whole));
        expect(matches).toBe(lines.filter((line) => !line.isContext).length);
        const bytes = Buffer.from(text);
        for (const { line, offset } of lines) {
          expect(bytes.subarray(0, offset).filter((byte) => byte === 10)).toHaveLength(line - 1);
          expect(offset === 0 || bytes[offset - 1] === 10).toBe(true);
        }
      },
    ),
    { numRuns: 2000 },
  );
});

test("[L19] of however many lines found only a portion is held", () => {
  const search = createLineSearch({ ...ALL, pattern: "^" }, { line: 0, offset: 0 });
  const counts = [...search.push(Buffer.alloc(100_000, "\n"))].map((portion) => portion.length);
  expect(Math.max(...counts)).toBeLessThanOrEqual(PORTION_LINES + 100);
  expect([counts.reduce((sum, count) => sum + count), search.matches()]).toEqual([100_000, 100_000]);
});

test("[L18] bytes that are no UTF-8 hide nothing behind them", () => {
  const bytes = Buffer.concat([
    Buffer.from([0xff, 0xfe, 10, 0xc3]),
    Buffer.from("\nloss nan\n"),
    Buffer.from([0xe2, 0x82]),
  ]);
  expect(searched(bytes, { pattern: "nan" }).lines).toMatchObject([
    { line: 3, offset: 5, text: "loss nan", at: [5, 8] },
  ]);
});

test("[L18] after so many lines the rest is counted, not told", () => {
  const { lines, matches } = searched("a\nb\na\nb\na\na\n", { pattern: "a", linesMax: 2, contextLines: 1 });
  expect([shown(lines), matches]).toEqual([["1:a", "2-b", "3:a", "4-b"], 4]);
  expect(searched("a\na", { pattern: "a", linesMax: 0 })).toEqual({ lines: [], matches: 2 });
});

test("[L18] of a long line the part with the match is told, and one without an end is searched in pieces", () => {
  const long = `${"x".repeat(10_000)}needle${"y".repeat(10_000)}`;
  const [line] = searched(`first\n${long}\n`, { pattern: "needle" }).lines;
  expect(line).toMatchObject({ line: 2, isCut: true });
  expect(line?.text).toHaveLength(TEXT_CHARS_MAX);
  expect(line?.text?.slice(...(line.at ?? []))).toBe("needle");
  const endless = Buffer.alloc(3 * LINE_BYTES_MAX, "z");
  endless.write("needle", 2.5 * LINE_BYTES_MAX);
  const cuts = Array.from({ length: 48 }, (_, at) => at * 65_536);
  const rest = Buffer.concat([endless, Buffer.from("\nneedle\n")]);
  expect(searched(rest, { pattern: "needle" }, cuts).lines.map((one) => one.line)).toEqual([1, 2]);
});

test("[L18] what is no expression is refused with the reason", () => {
  expect(() => searched("", { pattern: "(" })).toThrow(/Unterminated group/);
  expect(searched("a(b\n", { pattern: "(", isFixed: true }).matches).toBe(1);
});
