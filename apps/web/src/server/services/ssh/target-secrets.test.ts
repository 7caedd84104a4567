import { randomBytes } from "node:crypto";
import { newTestKey } from "@nexus/ssh/testing/test-keys";
import { expect, it } from "vitest";
import { openTargetKey, sealTargetKey } from "./target-key.ts";

it("[E47] a key is sealed for its target and under this master key alone", () => {
  const masterKey = randomBytes(32);
  const { privateKey } = newTestKey();
  const sealedPrivateKey = sealTargetKey(masterKey, "t_1", privateKey);
  expect(sealedPrivateKey).not.toContain(privateKey.split("\n")[1]);
  expect(openTargetKey(masterKey, "t_1", { sealedPrivateKey })).toBe(privateKey);
  expect(openTargetKey(masterKey, "t_2", { sealedPrivateKey })).toBeNull();
  expect(openTargetKey(randomBytes(32), "t_1", { sealedPrivateKey })).toBeNull();
  expect(openTargetKey(masterKey, "t_1", { sealedPrivateKey: null })).toBeNull();
});
