import { expect, it } from "vitest";
import * as z from "zod";
import { contract } from "./contract.ts";
import { speakInputWords } from "./input-words.ts";
import { jobSpecSchema } from "./schemas.ts";

const junk = [
  undefined,
  null,
  "",
  "x".repeat(100_000),
  "Bad name!",
  -1,
  0.5,
  1e12,
  [],
  [[]],
  {},
  { "": "", "1 a": 5 },
  true,
];

/** Words of the schema library, which say nothing to who typed the input. */
const LIBRARY_WORDS = /expected|received|Invalid|Too (small|big)|>=|<=|pattern|union|nonoptional/;

it("[A40] who imports schemas alone changes no words of the process", () => {
  const words = () => z.string().safeParse(undefined).error?.issues[0]?.message;
  expect(words()).toMatch(LIBRARY_WORDS);
  speakInputWords();
  expect(words()).toBe("is missing");
});

it("[A40] what is wrong with an input is said in words of ours, for every field of every procedure", () => {
  const said = new Set<string>();
  const check = (
    schema: { safeParse(value: unknown): { error?: { issues: { message: string }[] } } },
    value: unknown,
  ) => {
    for (const { message } of schema.safeParse(value).error?.issues ?? []) said.add(message);
  };
  for (const { input } of Object.values(contract)) {
    for (const value of junk) check(input, value);
    const fields = "shape" in input ? Object.keys(input.shape) : [];
    for (const field of fields) for (const value of junk) check(input, { [field]: value });
  }
  for (const field of Object.keys(jobSpecSchema.shape)) {
    for (const value of junk)
      check(contract["jobs.submit"].input, { jobs: [{ command: ["true"], [field]: value }] });
  }
  expect(said.size).toBeGreaterThan(15);
  expect([...said].filter((message) => message === "" || LIBRARY_WORDS.test(message))).toEqual([]);
});

it("[A40] a sentence of the schema goes before, also inside of a key", () => {
  const messages = (spec: object) =>
    jobSpecSchema.safeParse({ command: ["true"], ...spec }).error?.issues.map(({ message }) => message);
  expect(messages({ env: { "1A": "x" } })).toEqual(["not a name of an environment variable"]);
  expect(messages({ labels: { a: "b!" } })).toEqual([expect.stringContaining("label's value")]);
  expect(messages({ cwd: "relative" })).toEqual([expect.stringContaining("begin it with /")]);
  expect(messages({ priority: 5000 })).toEqual(["must be at most 1000"]);
  expect(messages({ name: " " })).toEqual(["is empty"]);
});
