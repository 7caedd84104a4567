/** Ed25519 from raw 32-byte keys in base64url, over node:crypto. Needs Node; browsers have no business with these keys. */
import { createPrivateKey, createPublicKey, randomBytes, sign, verify } from "node:crypto";

const PKCS8_PREFIX = Buffer.from("302e020100300506032b657004220420", "hex");
const SPKI_PREFIX = Buffer.from("302a300506032b6570032100", "hex");
const KEY_BYTES = 32;

export type KeyPair = {
  /** The 32 bytes that the private key is made from. Secret. */
  seed: string;
  publicKey: string;
};

export function newKeyPair(): KeyPair {
  const seed = randomBytes(KEY_BYTES).toString("base64url");
  return { seed, publicKey: publicKeyOf(seed) };
}

export function publicKeyOf(seed: string): string {
  const der = createPublicKey(privateKey(seed)).export({ type: "spki", format: "der" });
  return der.subarray(SPKI_PREFIX.length).toString("base64url");
}

export function signText(seed: string, text: string): string {
  return sign(null, Buffer.from(text), privateKey(seed)).toString("base64url");
}

/** False for a wrong signature and for anything that is not a key or a signature at all. */
export function verifyText(publicKey: string, text: string, signature: string): boolean {
  const raw = Buffer.from(publicKey, "base64url");
  if (raw.length !== KEY_BYTES) return false;
  try {
    const key = createPublicKey({ key: Buffer.concat([SPKI_PREFIX, raw]), format: "der", type: "spki" });
    return verify(null, Buffer.from(text), key, Buffer.from(signature, "base64url"));
  } catch {
    return false;
  }
}

function privateKey(seed: string) {
  const raw = Buffer.from(seed, "base64url");
  if (raw.length !== KEY_BYTES) throw new RangeError("An Ed25519 seed has 32 bytes.");
  return createPrivateKey({ key: Buffer.concat([PKCS8_PREFIX, raw]), format: "der", type: "pkcs8" });
}
