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
