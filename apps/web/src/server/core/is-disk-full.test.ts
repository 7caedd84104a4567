import { expect, it } from "vitest";
import { isDiskFull } from "./is-disk-full.ts";

it("[O63] a database without room is told by its code or its words, however deep it is wrapped", () => {
  const coded = (code: string, message = "no") => Object.assign(new Error(message), { code });
  const words = "could not write init file: No space left on device";
  for (const cause of [coded("53100"), coded("ENOSPC"), coded("XX000", words), new Error(words)])
    expect(isDiskFull(new Error("a statement failed", { cause }))).toBe(true);
  for (const thrown of [coded("53200"), coded("ECONNREFUSED"), words, null])
    expect(isDiskFull(thrown)).toBe(false);
});
