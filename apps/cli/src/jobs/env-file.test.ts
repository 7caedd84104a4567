import { parseEnv } from "node:util";
import fc from "fast-check";
import { expect, it } from "vitest";
import { parseEnvFile } from "./env-file.ts";

const parse = (text: string) => parseEnvFile(text, "job.env");

it("[N10] reads what shells and dotenv files have", () => {
  expect(
    parse(
      "\ufeff# all\n\nA=1\r\n  export B='two words' # why\nC=\"a\\nb\"\nD=x # comment\nE=\nF=`tick`\nG='first\nsecond'\nH = spaced\nI=a#b\nJ=a=b",
    ),
  ).toEqual({
    A: "1",
    B: "two words",
    C: "a\nb",
    D: "x",
    E: "",
    F: "tick",
    G: "first\nsecond",
    H: "spaced",
    I: "a#b",
    J: "a=b",
  });
});

it.each([
  ["A=1\nnonsense\nB=2", "job.env, line 2: this is not of the form NAME=value."],
  ["A=1\n=2", "line 2"],
  ["1A=2", "line 1"],
  ["MY-VAR=2", "line 1"],
  ['\nA="never\nclosed', 'line 2: the quote " that begins here'],
  ["A='x' y", "line 1: something follows"],
])("[N10] %j is refused with file and line, instead of left out", (text, sentence) => {
  expect(() => parse(text)).toThrow(sentence);
});

it("[N10] what it takes, it reads as Node's own reader does", () => {
  const name = fc.constantFrom("A", "B_1", "_C");
  const value = fc.oneof(
    fc.stringMatching(/^[a-z0-9:/.,=-]{0,12}$/),
    fc.stringMatching(/^[a-z #=\n]{0,12}$/).map((inner) => `'${inner}'`),
    fc.stringMatching(/^[a-z #'\n]{0,12}$/).map((inner) => `"${inner}"`),
  );
  fc.assert(
    fc.property(fc.array(fc.tuple(name, value)), (pairs) => {
      const text = pairs.map(([key, written]) => `${key}=${written}`).join("\n");
      expect(parse(text)).toEqual({ ...parseEnv(text) });
    }),
  );
});
