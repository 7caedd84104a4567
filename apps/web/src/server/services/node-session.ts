/**
 * Who is at the other end of an agent's socket: checks a hello against the node's key, and keeps the generations that tell
 * a copied disk. Refusals that end a node's attempts for good (revoked, cloned) are signed; a node believes no others.
 */
import { verifyText } from "@nexus/shared/crypto/ed25519";
import { sha256 } from "@nexus/shared/crypto/fingerprint";
import type { ErrorCode } from "@nexus/shared/errors";
import type { CloseName } from "@nexus/shared/protocol/close-codes";
import {
  commonProtocol,
  type HandshakeTerms,
  type Hello,
  handshakeTranscript,
  helloDigestText,
  refusalTranscript,
} from "@nexus/shared/protocol/handshake";
import { PROTOCOL_VERSION_MAX, PROTOCOL_VERSION_MIN } from "@nexus/shared/protocol/limits";
import { type Generations, judgeGeneration } from "../core/node-generation.ts";
import { confirmGeneration } from "../db/queries/confirm-generation.ts";
import { findNodeKey } from "../db/queries/find-node-key.ts";
import { insertAuditEvent } from "../db/queries/insert-audit-event.ts";
import { listRevokedTargets } from "../db/queries/list-revoked-targets.ts";
import { markNeedsUpdate } from "../db/queries/mark-needs-update.ts";
import { offerGeneration } from "../db/queries/offer-generation.ts";
import { touchHeartbeats } from "../db/queries/touch-heartbeats.ts";
import type { EnrollContext } from "./enroll-context.ts";
import type { NodeSession } from "./ports.ts";

/** What a signed refusal is tied to. */
export type HelloNonces = { nodeId: string; serverNonce: string; agentNonce: string };

export type Refusal = {
  close: CloseName;
  code: ErrorCode;
  message: string;
  retryAfterMs: number | null;
  signature: string | null;
};

export type HelloVerdict =
  | {
      kind: "welcome";
      node: Omit<NodeSession, "sessionId">;
      protocol: number;
      generation: number;
      signature: string;
    }
  | {
      kind: "refuse";
      refusal: Refusal /** The live session of this target should hear of it. */;
      cloneOf: number | null;
    };

export type NodeSessions = {
  verifyHello(hello: Hello, serverNonce: string): Promise<HelloVerdict>;
  /** False when another connection confirmed it first. */
  confirmGeneration(node: NodeSession, generation: number): Promise<boolean>;
  refusal(why: "node_revoked" | "node_cloned", nonces: HelloNonces): Refusal;
  /** Those of the connected targets that were revoked, wherever that was done. */
  revoked(targetIds: number[]): Promise<number[]>;
  seen(targetIds: number[]): Promise<void>;
};

const ATTEMPTS_MAX = 3;
const FINAL_TEXT = {
  node_revoked:
    "This node was removed from the fleet. Jobs that run here were left alone. To come back, enrol again with a new token: nexus-agent enroll --force <token>",
  node_cloned:
    "Another copy of this node's disk went on in the meantime, so this one is out of date. If this machine is the right one, make a token that reinstalls the node, and enrol again: nexus-agent enroll --force <token>",
} as const;

export function createNodeSessions(ctx: EnrollContext): NodeSessions {
  return {
    verifyHello: (hello, serverNonce) => verifyHello(ctx, hello, serverNonce),
    confirmGeneration: (node, generation) => confirmGeneration(ctx.db, node.targetId, generation),
    refusal: (why, nonces) => signedRefusal(ctx, why, nonces),
    revoked: (targetIds) => listRevokedTargets(ctx.db, targetIds),
    seen: (targetIds) => touchHeartbeats(ctx.db, targetIds),
  };
}

async function verifyHello(ctx: EnrollContext, hello: Hello, serverNonce: string): Promise<HelloVerdict> {
  if (!ctx.origins().includes(hello.origin)) {
    return refuse("unauthenticated", "forbidden", {
      message: `The node dialled ${hello.origin}, but this control plane answers to ${ctx.origins().join(", ")}. Set NEXUS_PUBLIC_URL to the address that nodes use.`,
    });
  }
  const protocol = commonProtocol(hello, {
    protocolMin: PROTOCOL_VERSION_MIN,
    protocolMax: PROTOCOL_VERSION_MAX,
  });
  const nonces = { nodeId: hello.nodeId, serverNonce, agentNonce: hello.agentNonce };
  const terms: HandshakeTerms = {
    ...nonces,
    role: "agent",
    // Without a common version the node signs with its own highest, so that we still know who needs the update.
    protocol: protocol ?? hello.protocolMax,
    origin: hello.origin,
    generation: hello.generation,
    helloSha256: sha256(helloDigestText(hello)),
  };

  for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt += 1) {
    const row = await findNodeKey(ctx.db, hello.nodeId);
    if (row === null) {
      return refuse("unauthenticated", "unauthenticated", {
        message: `${hello.nodeId} is not a node of this control plane. If its database was lost, enrol again: nexus-agent enroll --force <token>`,
      });
    }
    if (!verifyText(row.publicKey, handshakeTranscript(terms), hello.signature)) {
      return refuse("unauthenticated", "signature_invalid", {
        message: `The signature is not that of ${row.targetName}'s key. If the machine was reinstalled under another key, this one is out of date.`,
      });
    }
    if (row.revokedAt !== null) {
      return { kind: "refuse", refusal: signedRefusal(ctx, "node_revoked", nonces), cloneOf: null };
    }
    if (row.kind === "ssh") {
      return refuse("overloaded", "conflict", {
        message: `${row.targetName} is served without an agent at present, so this one gets no jobs. To have it serve again: nexus targets add user@host of this machine, without --agentless.`,
      });
    }
    if (protocol === null) {
      if (await markNeedsUpdate(ctx.db, row.targetId)) await ctx.targetChanged(row.targetId);
      return refuse("needsUpdate", "needs_update", { message: versionsApart(hello) });
    }
    const known: Generations = { confirmed: row.generation, offered: row.generationOffered };
    const verdict = judgeGeneration(known, hello.generation);
    if (verdict.kind === "clone") {
      await audit(ctx, row, {
        action: "target.clone_refused",
        detail: `A copy of ${row.targetName} came with generation ${hello.generation}; ${known.confirmed} was confirmed. It got no jobs.`,
      });
      return {
        kind: "refuse",
        refusal: signedRefusal(ctx, "node_cloned", nonces),
        cloneOf: row.targetId,
      };
    }
    const change = { seen: known, next: verdict.next, bootId: hello.bootId };
    if (!(await offerGeneration(ctx.db, row.targetId, change))) continue;
    if (verdict.ahead) {
      await audit(ctx, row, {
        action: "target.ahead",
        detail: `${row.targetName} came with generation ${hello.generation}, newer than any we offered: was the database restored?`,
      });
    }
    const generation = verdict.next.offered;
    return {
      kind: "welcome",
      node: {
        targetId: row.targetId,
        targetPublicId: row.targetPublicId,
        targetName: row.targetName,
        teamId: row.teamId,
      },
      protocol,
      generation,
      signature: ctx.identity.sign(handshakeTranscript({ ...terms, role: "server", generation })),
    };
  }
  return refuse("overloaded", "conflict", {
    message: `Several connections of ${hello.nodeId} arrived at once. It is tried again.`,
    retryAfterMs: 5_000,
  });
}

function signedRefusal(
  ctx: EnrollContext,
  code: "node_revoked" | "node_cloned",
  nonces: HelloNonces,
): Refusal {
  return {
    close: code === "node_revoked" ? "revoked" : "cloned",
    code,
    message: FINAL_TEXT[code],
    retryAfterMs: null,
    signature: ctx.identity.sign(refusalTranscript({ ...nonces, code })),
  };
}

function refuse(
  close: CloseName,
  code: ErrorCode,
  say: { message: string; retryAfterMs?: number },
): HelloVerdict {
  const { message, retryAfterMs = null } = say;
  return { kind: "refuse", refusal: { close, code, message, retryAfterMs, signature: null }, cloneOf: null };
}

function versionsApart(hello: Hello): string {
  const older = hello.protocolMax < PROTOCOL_VERSION_MIN;
  return `The agent ${hello.agentVersion} speaks protocol ${hello.protocolMin} to ${hello.protocolMax}, this control plane ${PROTOCOL_VERSION_MIN} to ${PROTOCOL_VERSION_MAX}. Update ${older ? "the agent: npx nexus-agent@latest install-service" : "the control plane, or run an older agent"}.`;
}

async function audit(
  ctx: EnrollContext,
  row: { teamId: string; targetName: string; targetPublicId: string },
  what: { action: string; detail: string },
): Promise<void> {
  await insertAuditEvent(ctx.db, {
    teamId: row.teamId,
    actor: `node ${row.targetName} (${row.targetPublicId})`,
    action: what.action,
    subject: row.targetPublicId,
    detail: what.detail,
    at: new Date(ctx.clock.nowMs()),
  });
}
