import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { nextPath } from "./next-path.ts";

describe("the way on after signing in", () => {
  it("keeps paths of ours", () => {
    expect(nextPath("/jobs/j_1?x=1")).toBe("/jobs/j_1?x=1");
    expect(nextPath(null)).toBe("/");
    expect(nextPath("/sign-in")).toBe("/");
  });
  it("never leaves the site, whatever it is given", () => {
    for (const evil of [
      "//evil.example",
      "/\\evil.example",
      "https://evil.example",
      "/\t/evil.example",
      "javascript:alert(1)",
    ]) {
      expect(nextPath(evil)).toBe("/");
    }
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(new URL(nextPath(text), "https://nexus.example").origin).toBe("https://nexus.example");
      }),
    );
  });
});
