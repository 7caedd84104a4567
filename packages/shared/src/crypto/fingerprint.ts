/** SHA-256 as pins and as people read them. Needs Node. */
import { createHash } from "node:crypto";

/** @returns SHA-256 in base64url. */
export function sha256(data: string | Uint8Array): string {
  return createHash("sha256").update(data).digest("base64url");
}

/** The pin of a raw public key in base64url. */
export function keyPin(publicKey: string): string {
  return sha256(Buffer.from(publicKey, "base64url"));
}

/** A pin as it is shown to people, the way ssh shows one: `SHA256:…`. */
export function showPin(pin: string): string {
  return `SHA256:${pin}`;
}
