import { generateKeyPairSync, randomInt } from "node:crypto";
import { assert } from "@nexus/shared/assert";
import { type PublicKey, publicKeyOfBlob } from "../host-keys/public-key.ts";

/** An Ed25519 key pair as OpenSSH keeps it. `privateKey` is secret: it leaves this process only encrypted. */
export type SshKeyPair = { publicKey: PublicKey; privateKey: string };

const TYPE = "ssh-ed25519";
const MAGIC = "openssh-key-v1\0";
const LINE_LENGTH = 70;
const BLOCK_BYTES = 8;

/**
 * Written here rather than taken from ssh2's generator: that one cuts the key out of DER by hand and cannot be checked
 * against `ssh-keygen` for every key it makes; the raw key of a JWK needs no cutting.
 */
export function generateKey(comment: string): SshKeyPair {
  const jwk = generateKeyPairSync("ed25519").privateKey.export({ format: "jwk" });
  const publicBytes = Buffer.from(jwk.x ?? "", "base64url");
  const seed = Buffer.from(jwk.d ?? "", "base64url");
  const blob = Buffer.concat([field(TYPE), field(publicBytes)]);
  const publicKey = publicKeyOfBlob(blob);
  assert(publicKey !== undefined && seed.length === 32, "a fresh Ed25519 key has 32 bytes");
  const check = Buffer.alloc(4);
  check.writeUInt32BE(randomInt(2 ** 32));
  const secret = [check, check, blob, field(Buffer.concat([seed, publicBytes])), field(comment)];
  const length = secret.reduce((sum, part) => sum + part.length, 0);
  const padding = Buffer.from(
    Array.from({ length: (BLOCK_BYTES - (length % BLOCK_BYTES)) % BLOCK_BYTES }, (_, i) => i + 1),
  );
  const file = Buffer.concat([
    Buffer.from(MAGIC, "latin1"),
    field("none"),
    field("none"),
    field(""),
    Buffer.from([0, 0, 0, 1]),
    field(blob),
    field(Buffer.concat([...secret, padding])),
  ]);
  return { publicKey, privateKey: armour(file) };
}

function armour(file: Buffer): string {
  const lines = file.toString("base64").match(new RegExp(`.{1,${LINE_LENGTH}}`, "g")) ?? [];
  return ["-----BEGIN OPENSSH PRIVATE KEY-----", ...lines, "-----END OPENSSH PRIVATE KEY-----", ""].join(
    "\n",
  );
}

function field(value: string | Buffer): Buffer {
  const bytes = Buffer.from(value);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}
