/**
 * What both ends sign, as text. Pure: hashing and signing are the caller's (`crypto/ed25519.ts` on Node).
 *
 * A connect: the server's `challenge` brings its nonce; the node's `hello` brings the other and signs; the server's
 * `welcome` signs back. Each signature names its role, so none can be turned round; both nonces, so none can be replayed;
 * the origin that the node dialled, so none can be relayed from another address; and the digest of the whole hello.
 */
import { assert } from "../assert.ts";
import type { AgentMessage, MessageOf } from "./messages.ts";

export type Hello = MessageOf<AgentMessage, "hello">;

export type HandshakeTerms = {
  role: "agent" | "server";
  nodeId: string;
  serverNonce: string;
  agentNonce: string;
  protocol: number;
  origin: string;
  /** Agent: the one it wrote down last. Server: the one it offers. */
  generation: number;
  /** SHA-256 of `helloDigestText`, base64url. */
  helloSha256: string;
};

export function handshakeTranscript(terms: HandshakeTerms): string {
  return join([
    "nexus-v1",
    terms.role,
    terms.nodeId,
    terms.serverNonce,
    terms.agentNonce,
    terms.protocol,
    terms.origin,
    terms.generation,
    terms.helloSha256,
  ]);
}

/** A fixed list of fields, since a peer of another version would not see the ones it does not know. */
export function helloDigestText(hello: Omit<Hello, "signature">): string {
  return JSON.stringify([
    hello.nodeId,
    hello.protocolMin,
    hello.protocolMax,
    hello.agentNonce,
    hello.generation,
    hello.agentVersion,
    hello.bootId,
    hello.origin,
  ]);
}

/** A refusal that ends the node's attempts for good. Tied to the handshake, so that an old one cannot be shown again. */
export function refusalTranscript(terms: {
  nodeId: string;
  serverNonce: string;
  agentNonce: string;
  code: string;
}): string {
  return join(["nexus-v1", "refuse", terms.nodeId, terms.serverNonce, terms.agentNonce, terms.code]);
}

export type VersionRange = { protocolMin: number; protocolMax: number };

/** @returns the highest version that both speak, or null. */
export function commonProtocol(a: VersionRange, b: VersionRange): number | null {
  const highest = Math.min(a.protocolMax, b.protocolMax);
  return highest >= Math.max(a.protocolMin, b.protocolMin) ? highest : null;
}

/** The server's answer to `GET /api/enroll/challenge`: proves its identity before anything is told to it. */
export function challengeTranscript(terms: {
  subject: string;
  serverNonce: string;
  agentNonce: string;
}): string {
  return join(["nexus-enroll-v1", "challenge", terms.subject, terms.serverNonce, terms.agentNonce]);
}

export type EnrollTerms = {
  /** `token`: signed by the seed. `node`: by the node's new key. `server`: the answer, by the server's identity. */
  role: "token" | "node" | "server";
  tokenId: string;
  serverNonce: string;
  agentNonce: string;
  origin: string;
  /** The node's new public key. */
  publicKey: string;
  /** Requests: SHA-256 of the machine's facts. Answer: the id that the node got. */
  subject: string;
};

export function enrollTranscript(terms: EnrollTerms): string {
  return join([
    "nexus-enroll-v1",
    terms.role,
    terms.tokenId,
    terms.serverNonce,
    terms.agentNonce,
    terms.origin,
    terms.publicKey,
    terms.subject,
  ]);
}

/** A node that leaves the fleet by itself says so with its key. */
export function goodbyeTranscript(terms: {
  nodeId: string;
  serverNonce: string;
  agentNonce: string;
  origin: string;
}): string {
  return join(["nexus-v1", "goodbye", terms.nodeId, terms.serverNonce, terms.agentNonce, terms.origin]);
}

/** A machine that is reached by other means shows with its key which node it is. */
export function nodeProofTranscript(terms: { nodeId: string; challenge: string }): string {
  return join(["nexus-v1", "proof", terms.nodeId, terms.challenge]);
}

function join(fields: (string | number)[]): string {
  for (const field of fields) {
    assert(!String(field).includes("|"), "a signed field cannot contain the separator");
  }
  return fields.join("|");
}
