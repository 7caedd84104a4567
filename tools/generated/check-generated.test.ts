import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { checkGenerated } from "./check-generated.ts";

let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "nexus-generated-"));
  mkdirSync(join(root, "out"));
  writeFileSync(join(root, "out/a.txt"), "old");
});

afterEach(() => rmSync(root, { recursive: true }));

const generator = (script: string) => ({
  name: "states",
  argv: [process.execPath, "-e", script],
  outputs: ["out"],
});
const WRITE = `const fs = require("node:fs");`;

test("[C14] what the generator writes anyway passes", async () => {
  expect(await checkGenerated([generator(`${WRITE} fs.writeFileSync("out/a.txt", "old")`)], root)).toEqual(
    [],
  );
});

test("[C14] changed, new and removed files are named, and put back as they were", async () => {
  writeFileSync(join(root, "out/b.txt"), "kept");
  const script = `${WRITE} fs.writeFileSync("out/a.txt", "new"); fs.writeFileSync("out/c.txt", "c"); fs.rmSync("out/b.txt")`;
  const findings = await checkGenerated([generator(script)], root);
  expect(findings.map(({ path, rule }) => `${path} ${rule}`)).toEqual([
    "out/a.txt generated/stale",
    "out/b.txt generated/stale",
    "out/c.txt generated/stale",
  ]);
  expect(readFileSync(join(root, "out/a.txt"), "utf8")).toBe("old");
  expect(readFileSync(join(root, "out/b.txt"), "utf8")).toBe("kept");
  expect(() => readFileSync(join(root, "out/c.txt"))).toThrow();
});

test("[C14] a generator that fails is a finding, with what it said", async () => {
  const [finding] = await checkGenerated(
    [generator(`console.error("no such table"); process.exit(3)`)],
    root,
  );
  expect(finding?.rule).toBe("generated/failed");
  expect(finding?.message).toContain("no such table");
});
