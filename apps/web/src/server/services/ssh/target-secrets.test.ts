import { randomBytes } from "node:crypto";
import { newTestKey } from "@nexus/ssh/testing/test-keys";
import { expect, it } from "vitest";
import { openCloudflareToken, openTargetKey, sealCloudflareToken, sealTargetKey } from "./target-secrets.ts";

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

it("[E61] so is a service token, and neither opens as the other", () => {
  const masterKey = randomBytes(32);
  const token = { id: "id.access", secret: "the secret" };
  const sealed = sealCloudflareToken(masterKey, "t_1", token);
  expect(openCloudflareToken(masterKey, "t_1", { sealedCloudflareToken: sealed })).toEqual(token);
  expect(openCloudflareToken(masterKey, "t_2", { sealedCloudflareToken: sealed })).toBeNull();
  expect(openTargetKey(masterKey, "t_1", { sealedPrivateKey: sealed })).toBeNull();
  expect(openCloudflareToken(masterKey, "t_1", { sealedCloudflareToken: null })).toBeNull();
});
