/**
 * Finds the lines of a log that match, from its bytes in order, however they are cut.
 *
 * Owns: the line that is not ended yet, the number of the present line, and the lines that may become context. Invariants: what
 * is found does not depend on how the bytes arrived; a line is matched alone and as it is shown; a line without an end is
 * searched in pieces of LINE_BYTES_MAX under one number, and of lines found only a portion is held, so memory is bounded. It
 * refuses patterns that are no regular expression, and bytes before the portions of the earlier ones were taken. How long an expression takes is the caller's to bound: some never end.
 */
import type { LogLineFound, LogSearchQuery } from "@nexus/shared/api/log-search";
import { assert } from "@nexus/shared/assert";
import { visibleLine } from "./visible-line.ts";

export type LineSearchQuery = Pick<
  LogSearchQuery,
  "pattern" | "isFixed" | "ignoresCase" | "contextLines" | "linesMax" | "isTextWanted"
>;

export type LineSearch = {
  /** @returns the lines found in what is complete now, in portions: what is found is searched for as it is taken. */
  push(bytes: Uint8Array): Iterable<LogLineFound[]>;
  /** The log ends here: its last line may have no line end. */
  end(): Iterable<LogLineFound[]>;
  /** Lines that match, told or not. */
  matches(): number;
};

/** Where the first byte is: its place in the log, and the number of its line from 0. */
export type SearchStart = { offset: number; line: number };

/** Longer than any line that a person reads. */
export const LINE_BYTES_MAX = 1024 * 1024;
/** Of a long line so much is told, with the match in it. */
export const TEXT_CHARS_MAX = 4096;
const TEXT_CHARS_BEFORE = 1024;
/** A piece of blank lines holds a million; their answer at once would be 100 MiB. */
export const PORTION_LINES = 4096;
const NEWLINE = 10;
/** What looks around its match would see the next line, so each line is then matched alone, which is slower. */
const LOOKS_AROUND = /\(\?<?[=!]/;

/** Lines in a piece of the log: where each begins in the bytes and in the text, found out when it is asked for. */
type Lines = {
  readonly text: string;
  readonly count: number;
  readonly byteStarts: number[];
  readonly textStarts: number[];
};

/** @throws SyntaxError with the engine's sentence. */
export function createLineSearch(
  query: LineSearchQuery,
  start: SearchStart,
  decode: (bytes: Uint8Array) => string = (bytes) => decoder.decode(bytes),
): LineSearch {
  const { contextLines, linesMax, isTextWanted } = query;
  const expression = toExpression(query);
  let isLineByLine = !query.isFixed && LOOKS_AROUND.test(query.pattern);
  let open: Uint8Array = new Uint8Array(0);
  let { line, offset } = start;
  let matches = 0;
  /** The last lines that passed untold. */
  let before: LogLineFound[] = [];
  /** Lines of context that the last line found still has to get. */
  let owed = 0;
  let isSearching = false;

  function* search(bytes: Uint8Array, isCutLine: boolean): Generator<LogLineFound[]> {
    assert(!isSearching, "the portions of earlier bytes are taken first");
    isSearching = true;
    const lines = cutLines(bytes, decode(bytes));
    let found: LogLineFound[] = [];
    let index = 0;
    for (;;) {
      const match = nextMatch(lines, index);
      passTo(match?.index ?? lines.count);
      if (match === null) break;
      matches += 1;
      if (matches <= linesMax) {
        found.push(...before, tell(index, [match.from, match.to]));
        owed = contextLines;
      }
      before = [];
      index += 1;
      if (found.length < PORTION_LINES) continue;
      yield found;
      found = [];
    }
    offset += bytes.length;
    line += isCutLine ? 0 : lines.count;
    isSearching = false;
    if (found.length > 0) yield found;

    /** Lines up to here did not match. Some are context of the one before, some may be of the next. */
    function passTo(end: number): void {
      for (; index < end && owed > 0; index += 1, owed -= 1) found.push({ ...tell(index), isContext: true });
      const first = Math.max(index, end - contextLines);
      if (first > index) before = [];
      for (index = first; index < end && matches < linesMax; index += 1) {
        before.push({ ...tell(index), isContext: true });
        if (before.length > contextLines) before.shift();
      }
      index = end;
    }

    function tell(at: number, match?: [number, number]): LogLineFound {
      const place = {
        type: "line",
        line: line + at + 1,
        offset: offset + (lines.byteStarts[at] ?? 0),
      } as const;
      if (!isTextWanted) return place;
      const text = textOf(lines, at);
      const from = text.length <= TEXT_CHARS_MAX ? 0 : Math.max(0, (match?.[0] ?? 0) - TEXT_CHARS_BEFORE);
      const shown = text.slice(from, from + TEXT_CHARS_MAX);
      return {
        ...place,
        text: shown,
        ...(shown.length < text.length ? { isCut: true } : {}),
        ...(match ? { at: [match[0] - from, Math.min(match[1] - from, shown.length)] } : {}),
      };
    }
  }

  function nextMatch(lines: Lines, first: number): { index: number; from: number; to: number } | null {
    if (!isLineByLine && first < lines.count) {
      expression.lastIndex = first === 0 ? 0 : (lines.textStarts[first] ?? 0);
      const match = expression.exec(lines.text);
      if (match === null) return null;
      if (!match[0].includes("\n")) {
        const index = indexOf(lines.textStarts, match.index, first);
        if (index >= lines.count) return null;
        const from = match.index - (lines.textStarts[index] ?? 0);
        return { index, from, to: from + match[0].length };
      }
      // It can go over a line's end, and would hide matches in the lines that it takes.
      isLineByLine = true;
    }
    for (let index = first; index < lines.count; index += 1) {
      expression.lastIndex = 0;
      const match = expression.exec(textOf(lines, index));
      if (match !== null) return { index, from: match.index, to: match.index + match[0].length };
    }
    return null;
  }

  return {
    push(bytes) {
      const end = bytes.lastIndexOf(NEWLINE) + 1;
      if (end === 0) {
        open = joined(open, bytes);
        if (open.length < LINE_BYTES_MAX) return [];
        const piece = open;
        open = new Uint8Array(0);
        return search(piece, true);
      }
      const whole = joined(open, bytes.subarray(0, end));
      open = bytes.slice(end);
      return search(whole, false);
    },
    end() {
      const last = open;
      open = new Uint8Array(0);
      return last.length > 0 ? search(last, false) : [];
    },
    matches: () => matches,
  };
}

function toExpression({ pattern, isFixed, ignoresCase }: LineSearchQuery): RegExp {
  const source = isFixed ? pattern.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&") : pattern;
  return new RegExp(source, `gm${ignoresCase ? "i" : ""}${/\\[pP]\{/.test(pattern) && !isFixed ? "u" : ""}`);
}

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** Most pieces hold no match: then their lines are only counted. */
function cutLines(bytes: Uint8Array, raw: string): Lines {
  const isPlain = !raw.includes("\r") && !raw.includes("\x1b");
  const text = isPlain ? raw : raw.split("\n").map(visibleLine).join("\n");
  let byteStarts: number[] | null = null;
  let textStarts: number[] | null = null;
  return {
    text,
    count: countLines(bytes),
    get byteStarts() {
      byteStarts ??= startsIn(bytes);
      return byteStarts;
    },
    get textStarts() {
      // As many characters as bytes: then each is one, since a character of more bytes has fewer units.
      textStarts ??= isPlain && raw.length === bytes.length ? this.byteStarts : startsInText(text);
      return textStarts;
    },
  };
}

function countLines(bytes: Uint8Array): number {
  let ends = 0;
  for (let at = bytes.indexOf(NEWLINE); at !== -1; at = bytes.indexOf(NEWLINE, at + 1)) ends += 1;
  return ends + (bytes.at(-1) === NEWLINE ? 0 : 1);
}

function startsIn(bytes: Uint8Array): number[] {
  const starts = [0];
  for (let at = 0; at < bytes.length; at += 1) if (bytes[at] === NEWLINE) starts.push(at + 1);
  return starts;
}

function startsInText(text: string): number[] {
  const starts = [0];
  for (let at = text.indexOf("\n"); at !== -1; at = text.indexOf("\n", at + 1)) starts.push(at + 1);
  return starts;
}

function textOf({ text, textStarts }: Lines, index: number): string {
  const next = textStarts[index + 1];
  return text.slice(textStarts[index], next === undefined ? text.length : next - 1);
}

/** The line that holds the character: the last that begins at or before it. */
function indexOf(starts: number[], char: number, first: number): number {
  let low = first;
  let high = starts.length - 1;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if ((starts[middle] ?? 0) <= char) low = middle;
    else high = middle - 1;
  }
  return low;
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array {
  if (a.length === 0) return b;
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}
