/** The two requests that make this machine a node, and the one that takes it out again. */
import { signText, verifyText } from "@nexus/shared/crypto/ed25519";
import { keyPin, sha256, showPin } from "@nexus/shared/crypto/fingerprint";
import { NexusError } from "@nexus/shared/errors";
import {
  type EnrollChallenge,
  type EnrollFacts,
  enrollAnswerSchema,
  enrollChallengeSchema,
} from "@nexus/shared/protocol/enroll-messages";
import type { EnrollTokenParts } from "@nexus/shared/protocol/enroll-token";
import {
  challengeTranscript,
  commonProtocol,
  enrollTranscript,
  goodbyeTranscript,
} from "@nexus/shared/protocol/handshake";
import { PROTOCOL_VERSION_MAX, PROTOCOL_VERSION_MIN } from "@nexus/shared/protocol/limits";
import * as z from "zod/mini";
import { type Identity, keyForEnrolment, newNonce, writeIdentity } from "./identity-store.ts";
import type { ServerAddress } from "./pinned-connection.ts";
import { requestServer } from "./server-request.ts";

export type MetServer = {
  address: ServerAddress;
  serverKey: string;
  serverNonce: string;
  agentNonce: string;
};

/** Asks the server to prove its identity. Nothing but the token's id and a nonce is told to it. */
export async function meetServer(token: EnrollTokenParts): Promise<MetServer> {
  const address: ServerAddress = { origin: token.origin, spkiPin: token.spkiPin };
  const agentNonce = newNonce();
  const challenge = await askChallenge(address, { subject: `token=${token.tokenId}`, agentNonce });
  requirePinned(token, challenge);
  const transcript = challengeTranscript({ ...challenge, subject: token.tokenId, agentNonce });
  if (!verifyText(challenge.serverKey, transcript, challenge.signature)) {
    throw new NexusError("pin_mismatch", {
      detail: `The server at ${token.origin} shows the pinned key but cannot sign with it. Nothing was told to it.`,
    });
  }
  if (
    commonProtocol(challenge, { protocolMin: PROTOCOL_VERSION_MIN, protocolMax: PROTOCOL_VERSION_MAX }) ===
    null
  ) {
    throw new NexusError("needs_update", {
      detail: `The control plane speaks protocol ${challenge.protocolMin} to ${challenge.protocolMax}, this agent ${PROTOCOL_VERSION_MIN} to ${PROTOCOL_VERSION_MAX}. Take the agent that fits: npx nexus-agent@latest`,
    });
  }
  return { address, serverKey: challenge.serverKey, serverNonce: challenge.serverNonce, agentNonce };
}

/** @returns the identity, already on the disk. */
export async function enrollAt(
  met: MetServer,
  token: EnrollTokenParts,
  given: { home: string; machine: EnrollFacts },
): Promise<Identity> {
  const key = await keyForEnrolment(given.home, token.tokenId);
  const { address, serverKey, serverNonce, agentNonce } = met;
  const { origin } = address;
  const facts = JSON.stringify(given.machine);
  const terms = { tokenId: token.tokenId, serverNonce, agentNonce, origin, publicKey: key.publicKey };
  const subject = sha256(facts);
  const answer = await requestServer({
    address,
    method: "POST",
    path: "/api/enroll",
    body: {
      ...terms,
      facts,
      tokenSignature: signText(token.seed, enrollTranscript({ ...terms, role: "token", subject })),
      nodeSignature: signText(key.seed, enrollTranscript({ ...terms, role: "node", subject })),
    },
    schema: enrollAnswerSchema,
  });
  const proof = enrollTranscript({ ...terms, role: "server", subject: answer.nodeId });
  if (!verifyText(serverKey, proof, answer.signature)) {
    throw new NexusError("signature_invalid", {
      detail: `The answer of ${origin} is not signed by the pinned server. Run the command again; the same token will do.`,
    });
  }
  const identity: Identity = {
    version: 1,
    nodeId: answer.nodeId,
    name: answer.name,
    team: answer.team,
    origin,
    spkiPin: address.spkiPin,
    serverKey,
    publicKey: key.publicKey,
    seed: key.seed,
    enrolledAt: new Date().toISOString(),
  };
  await writeIdentity(given.home, identity);
  return identity;
}

/** Tells the server that this node leaves the fleet. */
export async function sayGoodbye(identity: Identity): Promise<void> {
  const { nodeId, origin, spkiPin, serverKey } = identity;
  const address: ServerAddress = { origin, spkiPin };
  const agentNonce = newNonce();
  const challenge = await askChallenge(address, { subject: `node=${nodeId}`, agentNonce });
  const proof = challengeTranscript({ ...challenge, subject: nodeId, agentNonce });
  if (challenge.serverKey !== serverKey || !verifyText(serverKey, proof, challenge.signature)) {
    throw new NexusError("pin_mismatch", {
      detail: `The server at ${origin} is not the one that this node was enrolled with.`,
    });
  }
  const terms = { nodeId, serverNonce: challenge.serverNonce, agentNonce, origin };
  await requestServer({
    address,
    method: "POST",
    path: "/api/enroll/goodbye",
    body: { ...terms, signature: signText(identity.seed, goodbyeTranscript(terms)) },
    schema: z.object({ ok: z.literal(true) }),
  });
}

async function askChallenge(
  address: ServerAddress,
  given: { subject: string; agentNonce: string },
): Promise<EnrollChallenge> {
  return await requestServer({
    address,
    method: "GET",
    path: `/api/enroll/challenge?${given.subject}&nonce=${given.agentNonce}`,
    schema: enrollChallengeSchema,
  });
}

function requirePinned(token: EnrollTokenParts, challenge: EnrollChallenge): void {
  const shown = keyPin(challenge.serverKey);
  if (shown === token.identityPin) return;
  throw new NexusError("pin_mismatch", {
    detail: `The server at ${token.origin} has the identity ${showPin(shown)}, but the token pins ${showPin(token.identityPin)}. Nothing was told to it. Either the token is from another control plane (or from before it was set up anew), or somebody is in between.`,
  });
}
