import type { TextStyle } from "./sgr.ts";
import type { Span } from "./spans.ts";

export type MarkedSpan = { text: string; style: TextStyle; mark: boolean };

/** Cuts spans at the given ranges of the row's whole text. Pure. */
export function markSpans(spans: readonly Span[], ranges: readonly [number, number][]): MarkedSpan[] {
  const out: MarkedSpan[] = [];
  let position = 0;
  let next = 0;
  for (const { text, style } of spans) {
    const end = position + text.length;
    let at = position;
    while (at < end) {
      while (next < ranges.length && (ranges[next]?.[1] ?? 0) <= at) next++;
      const [from, to] = ranges[next] ?? [Infinity, Infinity];
      const mark = at >= from;
      const until = Math.min(end, mark ? to : from);
      out.push({ text: text.slice(at - position, until - position), style, mark });
      at = until;
    }
    position = end;
  }
  return out;
}
