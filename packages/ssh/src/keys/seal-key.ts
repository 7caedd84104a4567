import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import { assert } from "@nexus/shared/assert";
import { NexusError } from "@nexus/shared/errors";

/**
 * How private keys rest in a database or a file: AES-256-GCM under a key that is passed in and kept elsewhere, bound to
 * the name of what the key is for, so that a sealed key put in another one's place does not open.
 */
export type SealingKey = { key: Uint8Array; for: string };

const PREFIX = "nxk1.";
const CIPHER = "aes-256-gcm";
const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

export function sealKey(privateKey: string, sealing: SealingKey): string {
  assert(sealing.key.length === KEY_BYTES, "a sealing key has 32 bytes");
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv(CIPHER, sealing.key, nonce).setAAD(Buffer.from(sealing.for));
  const sealed = Buffer.concat([
    nonce,
    cipher.update(privateKey, "utf8"),
    cipher.final(),
    cipher.getAuthTag(),
  ]);
  return PREFIX + sealed.toString("base64url");
}

export function unsealKey(sealed: string, sealing: SealingKey): string {
  assert(sealing.key.length === KEY_BYTES, "a sealing key has 32 bytes");
  const bytes = Buffer.from(sealed.slice(PREFIX.length), "base64url");
  const isOurs = sealed.startsWith(PREFIX) && bytes.length > NONCE_BYTES + TAG_BYTES;
  if (!isOurs)
    throw new NexusError("internal", { detail: `What is stored for ${sealing.for} is no sealed key.` });
  const decipher = createDecipheriv(CIPHER, sealing.key, bytes.subarray(0, NONCE_BYTES), {
    authTagLength: TAG_BYTES,
  });
  decipher.setAAD(Buffer.from(sealing.for)).setAuthTag(bytes.subarray(-TAG_BYTES));
  try {
    const text = decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES));
    return Buffer.concat([text, decipher.final()]).toString("utf8");
  } catch (error) {
    const detail = `The key of ${sealing.for} does not open: it was sealed by another key, for another name, or changed.`;
    throw new NexusError("internal", { detail, cause: error });
  }
}
