import { describe, expect, it } from "vitest";
import { formatBytes, formatMib, formatRelative, gibNumber, plural } from "./format.ts";

describe("numbers as people read them", () => {
  it("moments are told from now, both ways", () => {
    expect([0, 5000, 130_000, 7_200_000, 300_000_000].map((ago) => formatRelative(1e12 - ago, 1e12))).toEqual(
      ["now", "5 s ago", "2 min ago", "2 h ago", "3 d ago"],
    );
    expect(formatRelative(1e12 + 240_000, 1e12)).toBe("in 4 min");
  });
  it("memory and sizes keep three digits at most", () => {
    expect([20, 9932, 81920, 144_384].map(gibNumber)).toEqual(["0", "9.7", "80", "141"]);
    expect(formatMib(812)).toBe("812 MiB");
    expect([0, 1023, 1536, 300 * 1024 * 1024].map(formatBytes)).toEqual([
      "0 B",
      "1023 B",
      "1.5 KiB",
      "300 MiB",
    ]);
  });
  it("one thing is not many", () => {
    expect([plural(1, "job"), plural(2000, "job"), plural(0, "try", "tries")]).toEqual([
      "1 job",
      "2,000 jobs",
      "0 tries",
    ]);
  });
});
