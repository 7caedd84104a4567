import { describe, expect, it } from "vitest";
import { matchKey, type Pending, SEQUENCE_MS } from "./key-sequence.ts";

const SHORTCUTS = ["g f", "g j", "/", "?", "j", "mod+k", "escape"];

function type(...keys: [string, number?][]): (string | null)[] {
  let pending: Pending = null;
  let atMs = 0;
  return keys.map(([key, afterMs = 10]) => {
    atMs += afterMs;
    const mod = key.startsWith("mod+");
    const result = matchKey({ key: mod ? key.slice(4) : key, mod, alt: false, atMs }, pending, SHORTCUTS);
    pending = result.pending;
    return result.matched;
  });
}

describe("shortcuts", () => {
  it("matches single keys, chords and sequences", () => {
    expect(type(["/"], ["mod+k"], ["Escape"])).toEqual(["/", "mod+k", "escape"]);
    expect(type(["g"], ["f"])).toEqual([null, "g f"]);
  });
  it("a sequence wins over its last key alone, and lapses", () => {
    expect(type(["g"], ["j"])).toEqual([null, "g j"]);
    expect(type(["g"], ["j", SEQUENCE_MS + 1])).toEqual([null, "j"]);
  });
  it("a wrong second key is read on its own", () => {
    expect(type(["g"], ["/"])).toEqual([null, "/"]);
    expect(type(["g"], ["g"], ["f"])).toEqual([null, null, "g f"]);
    expect(type(["g"], ["x"], ["f"])).toEqual([null, null, null]);
  });
  it("modifiers alone do not end a sequence", () => {
    expect(type(["g"], ["Shift"], ["f"])).toEqual([null, null, "g f"]);
  });
});
