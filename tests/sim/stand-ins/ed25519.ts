import { kernel } from "../world/kernel.ts";

/**
 * In place of packages/shared/src/crypto/ed25519.ts: signatures that cost nothing. A wrong key or another text is found out
 * as with the real ones; only who wants to forge could.
 */
export function signText(seed: string, text: string): string {
  return digest(`${seed}\n${text}`);
}

export function verifyText(publicKey: string, text: string, signature: string): boolean {
  return signText(publicKey.replace("public-", ""), text) === signature;
}

export const publicKeyOf = (seed: string) => `public-${seed}`;

function digest(text: string): string {
  let one = 0x811c9dc5;
  let two = 0xdeadbeef;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    one = Math.imul(one ^ code, 0x01000193);
    two = Math.imul(two ^ code, 0x9e3779b1) ^ (one >>> 13);
  }
  return (one >>> 0).toString(16).padStart(8, "0") + (two >>> 0).toString(16).padStart(8, "0");
}

export function newKeyPair() {
  const seed = `seed-${kernel().random.int(0, 2 ** 40)}`;
  return { seed, publicKey: publicKeyOf(seed) };
}
