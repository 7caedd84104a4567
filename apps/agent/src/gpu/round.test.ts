import { expect, it } from "vitest";
import { createFresh } from "./fresh.ts";
import { lineReader } from "./resident.ts";
import { createRound } from "./round.ts";

function collect(onRepeat: "end" | "replace", quietMs: number) {
  const rounds: string[][] = [];
  let wake: () => void = () => undefined;
  const arrived = new Promise<void>((resolve) => {
    wake = resolve;
  });
  const round = createRound<string>({
    onRound: (rows) => {
      rounds.push(rows);
      wake();
    },
    quietMs,
    onRepeat,
  });
  return { rounds, round, arrived };
}

it("[G1] a round is complete with its last expected row, without waiting for the next", () => {
  const { rounds, round } = collect("end", 60_000);
  for (const key of ["a", "b", "c", "d"]) round.add(key, key, 2);
  expect(rounds).toEqual([
    ["a", "b"],
    ["c", "d"],
  ]);
});

it("[G1] a row that comes again begins the next round: the one before was short of a row", () => {
  const { rounds, round } = collect("end", 60_000);
  for (const key of ["a", "c", "a"]) round.add(key, key, 3);
  expect(rounds).toEqual([["a", "c"]]);
  round.close();
});

it("[G1] a burst of unknown length ends when it is over", async () => {
  const { rounds, round, arrived } = collect("replace", 5);
  round.add("a", "a", null);
  round.add("b", "b", null);
  round.add("a", "a again", null);
  await arrived;
  expect(rounds).toEqual([["a again", "b"]]);
});

it("[G3] lines are whole however they arrive, and half a line is never delivered", () => {
  const lines: string[] = [];
  const read = lineReader((line) => lines.push(line));
  for (const chunk of ["a", "b\nc", "d\r\n\n", "tail"]) read(chunk);
  expect(lines).toEqual(["ab", "cd", ""]);
});

it("[G9] every caller of refresh gets a run that began after its call, and a crowd costs one", async () => {
  const ends: (() => void)[] = [];
  const fresh = createFresh(() => new Promise((resolve) => ends.push(resolve)));
  const first = fresh();
  const crowd = Array.from({ length: 50 }, fresh);
  expect(ends).toHaveLength(1);
  ends[0]?.();
  await first;
  await Promise.resolve();
  expect(ends).toHaveLength(2);
  ends[1]?.();
  await Promise.all(crowd);
  expect(ends).toHaveLength(2);
});
