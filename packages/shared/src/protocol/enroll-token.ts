/**
 * The enrolment token: `nxe1_` and base64url of
 *   u8 flags (1 = an SPKI pin follows) | u8 length + token id | 32 bytes SHA-256 of the server's identity key |
 *   [32 bytes SHA-256 of the certificate's public key] | 32 bytes Ed25519 seed | u8 length + server origin | u32 CRC-32 of all before.
 * The seed signs and is never sent; the server keeps its public half. The CRC tells a damaged token from an unknown one.
 */
import { NexusError } from "../errors.ts";
import { isId } from "../ids.ts";
import { fromBase64Url, toBase64Url } from "./base64url.ts";
import { crc32 } from "./crc32.ts";
import { parseServerOrigin } from "./origin.ts";

export const ENROLL_TOKEN_PREFIX = "nxe1_";
const FLAG_SPKI = 1;
const HASH_BYTES = 32;
const SEED_BYTES = 32;
const CRC_BYTES = 4;

export type EnrollTokenParts = {
  /** `https://host[:port]`, or `http://` for loopback. */
  origin: string;
  /** SHA-256 of the server's raw identity key, base64url. */
  identityPin: string;
  /** SHA-256 of the public key (SPKI) of a self-signed certificate, base64url; null where the system's CAs vouch. */
  spkiPin: string | null;
  tokenId: string;
  /** Ed25519 seed, base64url. */
  seed: string;
};

export function encodeEnrollToken(parts: EnrollTokenParts): string {
  const id = new TextEncoder().encode(parts.tokenId);
  const origin = new TextEncoder().encode(parts.origin);
  if (parts.spkiPin !== null && !parts.origin.startsWith("https:")) throw unpinnable(parts.origin);
  if (id.length > 255 || origin.length > 255) {
    throw new NexusError("too_large", { detail: `The server's address ${parts.origin} is too long.` });
  }
  const body = new Uint8Array([
    parts.spkiPin === null ? 0 : FLAG_SPKI,
    id.length,
    ...id,
    ...fixedBytes(parts.identityPin, HASH_BYTES),
    ...(parts.spkiPin === null ? [] : fixedBytes(parts.spkiPin, HASH_BYTES)),
    ...fixedBytes(parts.seed, SEED_BYTES),
    origin.length,
    ...origin,
  ]);
  const whole = new Uint8Array(body.length + CRC_BYTES);
  whole.set(body);
  new DataView(whole.buffer).setUint32(body.length, crc32(body));
  return ENROLL_TOKEN_PREFIX + toBase64Url(whole);
}

/** @throws NexusError `token_malformed` when it was cut, mistyped or is something else. */
export function decodeEnrollToken(text: string): EnrollTokenParts {
  const token = text.trim();
  if (!token.startsWith(ENROLL_TOKEN_PREFIX)) {
    throw malformed(`An enrolment token begins with ${ENROLL_TOKEN_PREFIX}; this text does not.`);
  }
  const whole = fromBase64Url(token.slice(ENROLL_TOKEN_PREFIX.length));
  if (whole === null || whole.length <= CRC_BYTES) throw altered();
  const body = whole.subarray(0, whole.length - CRC_BYTES);
  if (crc32(body) !== new DataView(whole.buffer).getUint32(body.length)) throw altered();

  const read = reader(body);
  const flags = read.byte();
  if ((flags & ~FLAG_SPKI) !== 0) {
    throw malformed("The token was made by a newer control plane; update nexus-agent and try again.");
  }
  const tokenId = read.text();
  const identityPin = toBase64Url(read.bytes(HASH_BYTES));
  const spkiPin = flags & FLAG_SPKI ? toBase64Url(read.bytes(HASH_BYTES)) : null;
  const seed = toBase64Url(read.bytes(SEED_BYTES));
  const origin = parseServerOrigin(read.text());
  if (origin === null || !isId("enrollToken", tokenId) || read.left() !== 0) throw altered();
  if (spkiPin !== null && !origin.startsWith("https:")) throw unpinnable(origin);
  return { origin, identityPin, spkiPin, tokenId, seed };
}

function fixedBytes(base64url: string, length: number): Uint8Array {
  const bytes = fromBase64Url(base64url);
  if (bytes?.length !== length) throw new NexusError("bad_request", { detail: `Not ${length} bytes.` });
  return bytes;
}

function reader(body: Uint8Array) {
  let at = 0;
  const bytes = (count: number): Uint8Array => {
    if (at + count > body.length) throw altered();
    at += count;
    return body.subarray(at - count, at);
  };
  const byte = (): number => bytes(1)[0] ?? 0;
  return { byte, bytes, text: () => decodeText(bytes(byte())), left: () => body.length - at };
}

function decodeText(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw altered();
  }
}

/** Nobody would check the pin. */
const unpinnable = (origin: string) =>
  malformed(
    `The token pins a certificate, but its address ${origin} shows none. No control plane made it: do not use it.`,
  );

const altered = () =>
  malformed(
    "The enrolment token is damaged: its checksum does not fit. Copy it again, whole, from where it was shown.",
  );

function malformed(detail: string): NexusError {
  return new NexusError("token_malformed", { detail });
}
