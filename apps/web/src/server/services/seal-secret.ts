/** Secrets at rest: AES-256-GCM under a key derived from the master key, bound to what the secret is for. */
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from "node:crypto";

const VERSION = "v1";
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** @param purpose names the row that it lies in: a sealed text moved elsewhere does not open. */
export function sealSecret(masterKey: Uint8Array, purpose: string, plain: string): string {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv("aes-256-gcm", keyFor(masterKey, purpose), nonce);
  const sealed = Buffer.concat([cipher.update(plain, "utf8"), cipher.final(), cipher.getAuthTag()]);
  return [VERSION, nonce.toString("base64url"), sealed.toString("base64url")].join(".");
}

/** @returns null when it was sealed with another master key, for another purpose, or was changed. */
export function openSecret(masterKey: Uint8Array, purpose: string, sealedText: string): string | null {
  const [version, nonce, text] = sealedText.split(".");
  if (version !== VERSION || nonce === undefined || text === undefined) return null;
  const sealed = Buffer.from(text, "base64url");
  try {
    const decipher = createDecipheriv(
      "aes-256-gcm",
      keyFor(masterKey, purpose),
      Buffer.from(nonce, "base64url"),
      { authTagLength: TAG_BYTES },
    );
    decipher.setAuthTag(sealed.subarray(sealed.length - TAG_BYTES));
    const plain = [decipher.update(sealed.subarray(0, sealed.length - TAG_BYTES)), decipher.final()];
    return Buffer.concat(plain).toString("utf8");
  } catch {
    return null;
  }
}

function keyFor(masterKey: Uint8Array, purpose: string): Uint8Array {
  return new Uint8Array(hkdfSync("sha256", masterKey, "nexus", `seal ${purpose}`, 32));
}
