import { createHash } from "node:crypto";

/** A public key as SSH writes it: its type and the base64 of its blob, which names the type again. */
export type PublicKey = { type: string; base64: string };

const TYPE = /^[a-z0-9][a-z0-9@.-]*$/;
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;

/** Undefined for anything that is not a whole key: a type that differs from the blob's, a cut blob, other text. */
export function parsePublicKey(text: string): PublicKey | undefined {
  const [type, base64] = text.trim().split(/[ \t]+/);
  if (type === undefined || base64 === undefined) return undefined;
  if (!TYPE.test(type) || !BASE64.test(base64)) return undefined;
  const key = publicKeyOfBlob(Buffer.from(base64, "base64"));
  return key?.type === type ? key : undefined;
}

export function publicKeyOfBlob(blob: Uint8Array): PublicKey | undefined {
  const bytes = Buffer.from(blob);
  if (bytes.length < 4) return undefined;
  const typeEnd = 4 + bytes.readUInt32BE(0);
  if (typeEnd > bytes.length || typeEnd > 4 + 64) return undefined;
  const type = bytes.toString("latin1", 4, typeEnd);
  return TYPE.test(type) ? { type, base64: bytes.toString("base64") } : undefined;
}

export function isSameKey(one: PublicKey, other: PublicKey): boolean {
  return one.type === other.type && one.base64 === other.base64;
}

export function hasKey(keys: readonly PublicKey[], key: PublicKey): boolean {
  return keys.some((one) => isSameKey(one, key));
}

/** As `ssh-keygen -l` shows it: `SHA256:` and base64 without padding. */
export function fingerprintOf(key: PublicKey): string {
  const digest = createHash("sha256").update(Buffer.from(key.base64, "base64")).digest("base64");
  return `SHA256:${digest.replace(/=+$/, "")}`;
}

export function showKey(key: PublicKey): string {
  return `${key.type} ${fingerprintOf(key)}`;
}

export function formatPublicKey(key: PublicKey, comment = ""): string {
  return `${key.type} ${key.base64}${comment === "" ? "" : ` ${comment}`}`;
}
