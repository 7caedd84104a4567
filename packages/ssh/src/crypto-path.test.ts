import { execFileSync } from "node:child_process";
import { globSync } from "node:fs";
import { createRequire } from "node:module";
import { expect, test } from "vitest";
import { readCryptoPath } from "./crypto-path.ts";

test("[H7] doctor says which code encrypts, as ssh2 itself has it", () => {
  const { bindingAvailable } = createRequire(import.meta.url)("ssh2/lib/protocol/crypto.js");
  const { path, hasFastCiphers, text } = readCryptoPath();
  expect(path).toBe(bindingAvailable ? "native" : "node");
  expect(hasFastCiphers).toBe(true);
  expect(text).toMatch(/AES-GCM, by OpenSSL/);
});

test("[H7] every module loads in plain Node, which is stricter with ssh2's exports than a bundler", () => {
  const modules = globSync("**/*.ts", { cwd: import.meta.dirname })
    .filter((path) => !path.endsWith(".test.ts") && !path.startsWith("testing/"))
    .map((path) => `await import(${JSON.stringify(`${import.meta.dirname}/${path}`)});`);
  const script = `${modules.join("\n")}\nprocess.stdout.write("loaded");`;
  const run = () =>
    execFileSync(process.execPath, ["--input-type=module", "-e", script], { encoding: "utf8" });
  expect(run()).toBe("loaded");
});
