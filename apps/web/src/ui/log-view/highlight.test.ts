import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { markSpans } from "./highlight.ts";
import { matchRanges } from "./search.ts";
import { PLAIN } from "./sgr.ts";

describe("marking matches", () => {
  it("marks across the borders of styled spans", () => {
    const red = { ...PLAIN, fg: 1 };
    const marked = markSpans(
      [
        { text: "an er", style: red },
        { text: "ror here", style: PLAIN },
      ],
      matchRanges("an error here", "error"),
    );
    expect(marked.map(({ text, mark }) => [text, mark])).toEqual([
      ["an ", false],
      ["er", true],
      ["ror", true],
      [" here", false],
    ]);
  });

  it("never changes the text, and marks what was found and nothing else", () => {
    fc.assert(
      fc.property(
        fc.array(fc.stringMatching(/^[ab]{1,5}$/)),
        fc.stringMatching(/^[ab]{1,2}$/),
        (texts, query) => {
          const spans = texts.map((text) => ({ text, style: PLAIN }));
          const whole = texts.join("");
          const ranges = matchRanges(whole, query);
          const marked = markSpans(spans, ranges);
          expect(marked.map(({ text }) => text).join("")).toBe(whole);
          const count = marked.filter(({ mark }) => mark).reduce((sum, { text }) => sum + text.length, 0);
          expect(count).toBe(ranges.length * query.length);
        },
      ),
    );
  });
});
