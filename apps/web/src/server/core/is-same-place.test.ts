import { expect, test } from "vitest";
import { isSamePlace } from "./is-same-place.ts";

const at = (bootId: string, machine: string | null, home = "h1") => {
  return { bootId, ...(machine === null ? {} : { place: { machine, home } }) };
};

test.each([
  { before: null, now: at("b1", "m1"), expected: true, why: "nobody was here before" },
  { before: at("b1", "m1"), now: at("b1", "m1"), expected: true, why: "the agent began anew" },
  { before: at("b1", "m1"), now: at("b2", "m1"), expected: true, why: "the machine booted" },
  { before: at("b1", "m1"), now: at("b1", "m2"), expected: true, why: "a network card came or went" },
  { before: at("b1", "m1"), now: at("b2", "m2"), expected: false, why: "a copy of the disk elsewhere" },
  { before: at("b1", "m1"), now: at("b1", "m1", "h2"), expected: false, why: "a copy of the folder" },
  {
    before: at("b1", null),
    now: at("b1", "m1"),
    expected: true,
    why: "an agent that was brought up to date",
  },
  { before: at("b1", null), now: at("b2", "m1"), expected: false, why: "nobody can tell" },
])("[P58] $why: the same machine is $expected", ({ before, now, expected }) => {
  expect(isSamePlace(before, now)).toBe(expected);
});
