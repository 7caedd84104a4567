/**
 * Nonces of enrolment that the server need not remember: expiry, randomness and a MAC over both, the caller's nonce and
 * what it is for. Any control plane with this identity can check one. It is good for two minutes, and a second use within
 * them does nothing twice, because what it guards is guarded by rows.
 */
import { createHmac, timingSafeEqual } from "node:crypto";

const NONCE_LIFE_MS = 120_000;
const RANDOM_BYTES = 16;
const MAC_BYTES = 16;
const HEAD_BYTES = 8 + RANDOM_BYTES;

export type NonceScope = { key: Uint8Array; subject: string; agentNonce: string };

export function issueNonce(scope: NonceScope, nowMs: number, random: Uint8Array): string {
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeBigUInt64BE(BigInt(nowMs + NONCE_LIFE_MS));
  head.set(random.subarray(0, RANDOM_BYTES), 8);
  return Buffer.concat([head, mac(scope, head)]).toString("base64url");
}

export function isFreshNonce(scope: NonceScope, nonce: string, nowMs: number): boolean {
  const bytes = Buffer.from(nonce, "base64url");
  if (bytes.length !== HEAD_BYTES + MAC_BYTES) return false;
  const head = bytes.subarray(0, HEAD_BYTES);
  if (!timingSafeEqual(bytes.subarray(HEAD_BYTES), mac(scope, head))) return false;
  return Number(head.readBigUInt64BE()) > nowMs;
}

function mac(scope: NonceScope, head: Uint8Array): Buffer {
  const text = JSON.stringify([scope.subject, scope.agentNonce]);
  return createHmac("sha256", scope.key).update(head).update(text).digest().subarray(0, MAC_BYTES);
}
