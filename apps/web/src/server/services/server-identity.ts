/**
 * The control plane's own Ed25519 identity, which every node pins. Made on first use; the private half lies in the
 * database sealed with the master key and leaves this module only as signatures. No procedure returns it.
 */
import { hkdfSync } from "node:crypto";
import { newKeyPair, publicKeyOf, signText } from "@nexus/shared/crypto/ed25519";
import { keyPin } from "@nexus/shared/crypto/fingerprint";
import { NexusError } from "@nexus/shared/errors";
import type { Database } from "../db/database.ts";
import { findServerIdentity } from "../db/queries/find-server-identity.ts";
import { insertServerIdentity } from "../db/queries/insert-server-identity.ts";
import { openSecret, sealSecret } from "./seal-secret.ts";

const PURPOSE = "server_identity";

export type ServerIdentity = {
  readonly publicKey: string;
  /** SHA-256 of the public key, base64url: what tokens pin and people compare. */
  readonly pin: string;
  sign(text: string): string;
  /** A key of its own for each purpose, the same on every control plane of this database. */
  deriveKey(purpose: string): Uint8Array;
};

export async function loadServerIdentity(db: Database, masterKey: Uint8Array): Promise<ServerIdentity> {
  const row = (await findServerIdentity(db)) ?? (await createIdentity(db, masterKey));
  const seed = openSecret(masterKey, PURPOSE, row.sealedPrivateKey);
  if (seed === null || publicKeyOf(seed) !== row.publicKey) {
    throw new NexusError("invalid_state", {
      detail:
        "The control plane's identity in the database was sealed with another master key. Put the master.key that belongs to this database back into the home folder (or set NEXUS_MASTER_KEY): every node pinned this identity.",
    });
  }
  return {
    publicKey: row.publicKey,
    pin: keyPin(row.publicKey),
    sign: (text) => signText(seed, text),
    deriveKey: (purpose) =>
      new Uint8Array(hkdfSync("sha256", Buffer.from(seed, "base64url"), "nexus", purpose, 32)),
  };
}

/** Of control planes that start together on an empty database, the first row wins for all. */
async function createIdentity(db: Database, masterKey: Uint8Array) {
  const pair = newKeyPair();
  await insertServerIdentity(db, {
    publicKey: pair.publicKey,
    sealedPrivateKey: sealSecret(masterKey, PURPOSE, pair.seed),
  });
  const row = await findServerIdentity(db);
  if (row === null) throw new Error("the server identity vanished while it was made");
  return row;
}
