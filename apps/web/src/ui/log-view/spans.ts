/** A row's bytes as styled pieces of text. Pure; invalid UTF-8 becomes U+FFFD. */
import { AnsiMachine, type AnsiState } from "./ansi-machine.ts";
import type { TextStyle } from "./sgr.ts";

export type Span = { readonly text: string; readonly style: TextStyle };

// A byte order mark inside a log is the job's business, so it is kept.
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

export function rowSpans(bytes: Uint8Array, state: AnsiState): Span[] {
  const spans: Span[] = [];
  const machine = new AnsiMachine(state);
  let from = 0;
  let style = machine.style;
  for (let at = 0; at < bytes.length; at++) {
    if (machine.step(bytes[at] ?? 0) === "print") continue;
    if (at > from) spans.push({ text: decoder.decode(bytes.subarray(from, at)), style });
    from = at + 1;
    style = machine.style;
  }
  if (bytes.length > from) spans.push({ text: decoder.decode(bytes.subarray(from)), style });
  return spans;
}

export function rowText(bytes: Uint8Array, state: AnsiState): string {
  let text = "";
  for (const span of rowSpans(bytes, state)) text += span.text;
  return text;
}
