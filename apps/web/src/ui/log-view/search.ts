/** Search in the rows that are loaded, in slices, so that typing stays smooth over 100,000 rows. */
import type { LogWindow } from "./log-window.ts";

/** How long one slice may hold the main thread. */
const SLICE_MS = 8;
const ROWS_PER_CLOCK_READ = 256;
/** Beyond this many, going through them one by one is not what anybody does. */
export const MATCHES_MAX = 20_000;

export type SearchState = {
  readonly query: string;
  /** Start offsets of the rows that match, ascending: offsets outlive prepending and trimming, indexes do not. */
  readonly matches: readonly number[];
  readonly done: boolean;
  /** Lines that match; more than `matches` where only the first so many have a place. */
  readonly total: number;
};

export const NO_SEARCH: SearchState = { query: "", matches: [], done: true, total: 0 };

/** Where a needle stands in a row's text: start and end, case-insensitive. */
export function matchRanges(text: string, query: string): [number, number][] {
  const ranges: [number, number][] = [];
  if (query === "") return ranges;
  // Lower case may change a text's length (İ); then positions do not carry over, and an exact search is the honest one.
  const lower = text.toLowerCase();
  const folded = lower.length === text.length;
  const haystack = folded ? lower : text;
  const needle = folded ? query.toLowerCase() : query;
  for (let at = haystack.indexOf(needle); at !== -1; at = haystack.indexOf(needle, at + needle.length)) {
    ranges.push([at, at + needle.length]);
  }
  return ranges;
}

function rowMatches(text: string, query: string): boolean {
  return text.toLowerCase().includes(query.toLowerCase()) || text.includes(query);
}

/** Searches rows from `fromOffset` on and reports after each slice. Ends early when `signal` aborts. */
export async function searchRows(
  window: LogWindow,
  search: {
    query: string;
    fromOffset: number;
    signal: AbortSignal;
    found: (matches: number[], scannedTo: number, done: boolean) => void;
  },
): Promise<void> {
  let offset = search.fromOffset;
  while (!search.signal.aborted) {
    const matches: number[] = [];
    const until = performance.now() + SLICE_MS;
    let index = window.indexOf(offset);
    for (let steps = 1; index < window.rowCount; index++, steps++) {
      const row = window.row(index);
      if (row?.kind === "text" && row.start >= offset && rowMatches(window.text(row), search.query)) {
        matches.push(row.start);
      }
      if (steps % ROWS_PER_CLOCK_READ === 0 && performance.now() > until) break;
    }
    const last = window.row(Math.min(index, window.rowCount - 1));
    const done = index >= window.rowCount;
    // The last row may still grow, so a later search begins with it again.
    offset = last ? last.start + (done ? 0 : 1) : offset;
    search.found(matches, offset, done);
    if (done) return;
    await nextTask();
  }
}

function nextTask(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}
