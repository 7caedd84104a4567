// A named import of `utils` fails in Node: it sees only those exports of CommonJS that stand there one by one.
import ssh2, { type ParsedKey } from "ssh2";
import { type PublicKey, publicKeyOfBlob } from "../host-keys/public-key.ts";
import type { PrivateKey } from "./credentials.ts";

export type ReadKey = { key: ParsedKey; publicKey: PublicKey } | { reason: string };

/** The key, or why it cannot be used here. The reason never holds any of the key's text. */
export function readPrivateKey({ text, passphrase }: PrivateKey): ReadKey {
  const parsed = ssh2.utils.parseKey(text, passphrase);
  if (parsed instanceof Error) return { reason: reasonOf(parsed, text, passphrase) };
  const key = Array.isArray(parsed) ? parsed[0] : parsed;
  const publicKey = key && publicKeyOfBlob(key.getPublicSSH());
  if (key === undefined || publicKey === undefined) return { reason: "it holds no key" };
  if (!key.isPrivateKey()) return { reason: "it is a public key" };
  return { key, publicKey };
}

function reasonOf(error: Error, text: string, passphrase: string | undefined): string {
  if (/passphrase|encrypted|integrity check/i.test(error.message)) {
    return passphrase === undefined
      ? "it is locked and no passphrase was given"
      : "the passphrase does not open it";
  }
  if (/sk-(ssh|ecdsa)/.test(text) || /unsupported key type/i.test(error.message)) {
    return "keys of this type (security keys, for example) need the engine openssh";
  }
  return "it cannot be read as a private key";
}
