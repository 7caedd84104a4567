/**
 * Who this node is: `<home>/identity.json`, 0600 in a 0700 folder. Owns: the node's private key, which never leaves the machine,
 * the pinned keys of the server. Invariant: the identity goes only when a person unenrols or enrols anew, never because of what
 * a network or a server said.
 */
import { randomBytes } from "node:crypto";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { type KeyPair, newKeyPair } from "@nexus/shared/crypto/ed25519";
import { NexusError } from "@nexus/shared/errors";
import * as z from "zod/mini";
import { makePrivateFolder, readPrivate, writeDurable } from "./durable-file.ts";
import { resetGeneration } from "./generation-file.ts";

const identitySchema = z.object({
  version: z.literal(1),
  nodeId: z.string(),
  name: z.string(),
  team: z.string(),
  origin: z.string(),
  spkiPin: z.nullable(z.string()),
  /** The server's identity key, raw, base64url. */
  serverKey: z.string(),
  publicKey: z.string(),
  /** The private half. */
  seed: z.string(),
  enrolledAt: z.string(),
});
export type Identity = z.infer<typeof identitySchema>;

const pendingSchema = z.object({ tokenId: z.string(), seed: z.string(), publicKey: z.string() });

const identityPath = (home: string) => join(home, "identity.json");
const pendingPath = (home: string) => join(home, "enrolling.json");

/** Null when this home was never enrolled. @throws NexusError when the file is damaged. */
export async function readIdentity(home: string): Promise<Identity | null> {
  const text = await readPrivate(identityPath(home));
  if (text === null) return null;
  const parsed = identitySchema.safeParse(parseJson(text));
  if (parsed.success) return parsed.data;
  throw new NexusError("invalid_state", {
    detail: `${identityPath(home)} is damaged. Restore it from a backup, or enrol again with a token that reinstalls this node: nexus-agent enroll --force <token>`,
  });
}

export async function requireIdentity(home: string): Promise<Identity> {
  const identity = await readIdentity(home);
  if (identity !== null) return identity;
  throw new NexusError("not_found", {
    detail: `This machine is not enrolled: there is no identity in ${home}. Make a token on the Enrol page of the dashboard, then run: nexus-agent enroll <token>`,
  });
}

export async function writeIdentity(home: string, identity: Identity): Promise<void> {
  await makePrivateFolder(home);
  await writeDurable(identityPath(home), `${JSON.stringify(identity, null, 2)}\n`);
  await resetGeneration(home);
  await rm(pendingPath(home), { force: true });
}

export async function removeIdentity(home: string): Promise<void> {
  await rm(identityPath(home), { force: true });
  await rm(pendingPath(home), { force: true });
  await rm(join(home, "generation"), { force: true });
}

/**
 * The key for an enrolment, the same for each try with a token: when the server's answer gets lost, the next try gets it again
 * instead of "used".
 */
export async function keyForEnrolment(home: string, tokenId: string): Promise<KeyPair> {
  await makePrivateFolder(home);
  const kept = pendingSchema.safeParse(parseJson((await readPrivate(pendingPath(home))) ?? ""));
  if (kept.success && kept.data.tokenId === tokenId) return kept.data;
  const pair = newKeyPair();
  await writeDurable(pendingPath(home), JSON.stringify({ tokenId, ...pair }));
  return pair;
}

export const newNonce = (): string => randomBytes(32).toString("base64url");

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
