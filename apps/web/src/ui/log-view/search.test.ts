import { describe, expect, it } from "vitest";
import { LogWindow } from "./log-window.ts";
import { matchRanges, searchRows } from "./search.ts";

describe("search", () => {
  it("finds every row that matches, in any case, once", async () => {
    const window = new LogWindow(0);
    const lines = Array.from({ length: 5000 }, (_, index) =>
      index % 10 === 3 ? `\x1b[31mERROR\x1b[0m ${index}` : `ok ${index}`,
    );
    window.append(0, new TextEncoder().encode(lines.join("\n")));
    const found: number[] = [];
    await searchRows(window, {
      query: "error",
      fromOffset: 0,
      signal: new AbortController().signal,
      found: (matches) => found.push(...matches),
    });
    expect(found.length).toBe(500);
    expect(new Set(found).size).toBe(500);
    expect(window.indexOf(found[1] ?? 0)).toBe(13);
  });

  it("gives the places within a text", () => {
    expect(matchRanges("Loss loss LOSS", "loss")).toEqual([
      [0, 4],
      [5, 9],
      [10, 14],
    ]);
    expect(matchRanges("aaaa", "aa")).toEqual([
      [0, 2],
      [2, 4],
    ]);
    expect(matchRanges("anything", "")).toEqual([]);
  });
});
