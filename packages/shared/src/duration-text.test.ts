import { expect, it } from "vitest";
import { durationText } from "./duration-text.ts";

it("[N10] durations are told in whole units that have passed, two at most", () => {
  const shown = [0, 54_900, 60_000, 61_000, 724_000, 3_600_000, 11_520_000, 86_400_000, 187_200_000];
  expect(shown.map(durationText)).toEqual([
    ...["0s", "54s", "1m", "1m 01s", "12m 04s", "1h", "3h 12m", "1d", "2d 4h"],
  ]);
});
