import { expect, test } from "vitest";
import { isSamePlace } from "./is-same-place.ts";

const at = (bootId: string, machine: string | null, { home = "h1", cards = ["c1"] } = {}) => {
  return { bootId, ...(machine === null ? {} : { place: { machine, home, cards } }) };
};

test.each([
  { before: null, now: at("b1", "m1"), expected: true, why: "nobody was here before" },
  { before: at("b1", "m1"), now: at("b1", "m1"), expected: true, why: "the agent began anew" },
  { before: at("b1", "m1"), now: at("b2", "m1"), expected: true, why: "the machine booted" },
  { before: at("b1", "m1"), now: at("b1", "m2"), expected: true, why: "its id was made anew" },
  {
    before: at("b1", "m1", { cards: ["c1", "c2"] }),
    now: at("b2", "m1", { cards: ["c2", "c3"] }),
    expected: true,
    why: "a network card came or went",
  },
  {
    before: at("b1", "m1", { cards: [] }),
    now: at("b2", "m1", { cards: [] }),
    expected: true,
    why: "it has no card",
  },
  {
    before: at("b1", "m1"),
    now: at("b2", "m1", { cards: ["c2"] }),
    expected: false,
    why: "a copied virtual machine, with cards of its own",
  },
  { before: at("b1", "m1"), now: at("b2", "m2"), expected: false, why: "a copy of the disk elsewhere" },
  {
    before: at("b1", "m1"),
    now: at("b1", "m1", { home: "h2" }),
    expected: false,
    why: "a copy of the folder",
  },
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
