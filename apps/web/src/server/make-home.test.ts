import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { makeHome } from "./make-home.ts";

it("[O64] a home that is not there is made for its owner alone, and one that cannot be is told in a sentence", () => {
  const dir = mkdtempSync(join(tmpdir(), "nexus-home-"));
  const home = join(dir, "deep", "home");
  makeHome(home);
  makeHome(home);
  expect(statSync(home).mode & 0o777).toBe(0o700);
  writeFileSync(join(dir, "file"), "");
  const wrong = join(dir, "file", "home");
  expect(() => makeHome(wrong)).toThrow(`NEXUS_HOME=${wrong}, cannot be made: ENOTDIR`);
  rmSync(dir, { recursive: true });
});
