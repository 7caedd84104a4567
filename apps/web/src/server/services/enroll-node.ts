/**
 * A machine becomes a node. Two requests: the challenge proves who we are and costs no look-up; the enrolment proves, by
 * signatures over both nonces, that the caller holds the token's seed and the new node key. The use of the token, the
 * target and its key are one transaction. An answer that got lost is given again to the same key and token.
 */
import { NAME } from "@nexus/shared/api/schemas";
import { verifyText } from "@nexus/shared/crypto/ed25519";
import { sha256 } from "@nexus/shared/crypto/fingerprint";
import { NexusError } from "@nexus/shared/errors";
import { newId } from "@nexus/shared/ids";
import type {
  EnrollAnswer,
  EnrollChallenge,
  EnrollFacts,
  EnrollRequest,
} from "@nexus/shared/protocol/enroll-messages";
import { enrollFactsSchema } from "@nexus/shared/protocol/enroll-messages";
import { challengeTranscript, type EnrollTerms, enrollTranscript } from "@nexus/shared/protocol/handshake";
import { PROTOCOL_VERSION_MAX, PROTOCOL_VERSION_MIN } from "@nexus/shared/protocol/limits";
import type { Database } from "../db/database.ts";
import { consumeEnrollToken } from "../db/queries/consume-enroll-token.ts";
import { findEnrollToken } from "../db/queries/find-enroll-token.ts";
import { findEnrolledNode } from "../db/queries/find-enrolled-node.ts";
import { findTarget } from "../db/queries/find-target.ts";
import { insertAgentTarget } from "../db/queries/insert-agent-target.ts";
import { insertAuditEvent } from "../db/queries/insert-audit-event.ts";
import { lockEnrollToken } from "../db/queries/lock-enroll-token.ts";
import { putNodeKey } from "../db/queries/put-node-key.ts";
import { switchTargetKind } from "../db/queries/switch-target-kind.ts";
import { isFreshNonce, issueNonce } from "./challenge-nonce.ts";
import type { EnrollContext } from "./enroll-context.ts";

const NAMES_TRIED_MAX = 1000;

export function enrollChallenge(
  ctx: EnrollContext,
  input: { subject: string; agentNonce: string },
): EnrollChallenge {
  const scope = { key: nonceKey(ctx), ...input };
  const serverNonce = issueNonce(scope, ctx.clock.nowMs(), ctx.randomBytes(16));
  return {
    serverNonce,
    serverKey: ctx.identity.publicKey,
    protocolMin: PROTOCOL_VERSION_MIN,
    protocolMax: PROTOCOL_VERSION_MAX,
    signature: ctx.identity.sign(challengeTranscript({ ...input, serverNonce })),
  };
}

export async function enrollNode(ctx: EnrollContext, request: EnrollRequest): Promise<EnrollAnswer> {
  requireFreshNonce(ctx, { ...request, subject: request.tokenId });
  requireOwnOrigin(ctx, request.origin);
  const token = await findEnrollToken(ctx.db, request.tokenId);
  if (token === null) {
    throw new NexusError("token_unknown", {
      detail: `This control plane never gave out the enrolment token ${request.tokenId}, or its team is gone. Make a new one on its Enrol page.`,
    });
  }
  const terms = { ...request, subject: sha256(request.facts) };
  requireSignature(token.publicKey, { ...terms, role: "token" }, request.tokenSignature);
  requireSignature(request.publicKey, { ...terms, role: "node" }, request.nodeSignature);
  const machine = parseFacts(request.facts);

  const { answer, targetId } = await ctx.db.transaction(async (tx) => {
    await lockEnrollToken(tx, token.id);
    const again = await findEnrolledNode(tx, token.id, request.publicKey);
    if (again !== null && again.revokedAt === null) return { answer: again, targetId: null };
    const used = await consumeEnrollToken(tx, token.id);
    if (used === null) throw whyDead((await findEnrollToken(tx, token.publicId)) ?? token);
    const id = used.targetId ?? (await createTarget(ctx, tx, { ...used, machine }));
    const target = await findTarget(tx, id);
    if (target === null || target.revokedAt !== null) {
      throw new NexusError("node_revoked", {
        detail:
          "The target that this token reinstalls was removed from the fleet. Use a token for a new node.",
      });
    }
    await putNodeKey(tx, {
      targetId: id,
      publicKey: request.publicKey,
      bootId: machine.facts.bootId,
      enrollTokenId: token.id,
    });
    await insertAuditEvent(tx, {
      teamId: token.teamId,
      actor: `enrolment token (${token.publicId})`,
      action: used.targetId === null ? "target.enrolled" : "target.reinstalled",
      subject: target.publicId,
      detail: `${target.name}: ${machine.facts.user}@${machine.facts.hostname}, ${machine.gpus.length} GPUs.`,
      at: new Date(ctx.clock.nowMs()),
    });
    // Last, since what served it until now hears of it before this commits.
    if (target.kind === "ssh") await takeOver(ctx, tx, { id, name: target.name });
    return { answer: { nodeId: target.publicId, name: target.name, team: target.team }, targetId: id };
  });

  if (targetId !== null) {
    // A reinstalled node's old process holds a key that no longer counts.
    ctx.disconnect(targetId, "replaced");
    await ctx.targetChanged(targetId);
    ctx.events.emit("enrollToken", { teamId: token.teamId, enrollToken: token.publicId });
    ctx.events.emit("target", { teamId: token.teamId, target: answer.nodeId, removed: false });
  }
  const { nodeId, name, team } = answer;
  const signature = ctx.identity.sign(enrollTranscript({ ...request, role: "server", subject: nodeId }));
  return { nodeId, name, team, signature };
}

/** A target that was served without an agent is its agent's from here on. */
async function takeOver(
  ctx: EnrollContext,
  tx: Database,
  { id, name }: { id: number; name: string },
): Promise<void> {
  const jobs = await switchTargetKind(tx, id, "agent");
  if (jobs.length > 0) {
    throw new NexusError("conflict", {
      detail: `${name} still has ${jobs.length} ${jobs.length === 1 ? "job" : "jobs"} without an agent. Let them end first: nexus targets cordon ${name} --drain. The token is not used up.`,
    });
  }
  ctx.disconnect(id, "replaced");
}

/** A name that a person chose on the node is taken or refused; names that follow from elsewhere get a number. */
async function createTarget(
  ctx: EnrollContext,
  tx: Database,
  given: { teamId: string; name: string | null; labels: Record<string, string>; machine: EnrollFacts },
): Promise<number> {
  const chosen = given.machine.name;
  if (chosen !== null && !NAME.test(chosen)) {
    throw new NexusError("bad_request", {
      detail: `"${chosen}" cannot be a target's name: 1 to 63 of a-z 0-9 . _ -, beginning and ending with a letter or digit.`,
    });
  }
  const base = chosen ?? given.name ?? nameFromHost(given.machine.facts.hostname);
  const triesMax = chosen === null ? NAMES_TRIED_MAX : 1;
  for (let number = 1; number <= triesMax; number += 1) {
    const id = await insertAgentTarget(tx, {
      publicId: newId("target", ctx.randomBytes),
      teamId: given.teamId,
      name: number === 1 ? base : `${base.slice(0, 58)}-${number}`,
      labels: given.labels,
      facts: given.machine.facts,
    });
    if (id !== null) return id;
  }
  throw new NexusError("conflict", {
    detail: `A target named ${base} is in the fleet already. Choose another with --name, or ask for a token that reinstalls it. The token is not used up.`,
  });
}

export function nameFromHost(hostname: string): string {
  const first = hostname.toLowerCase().split(".")[0] ?? "";
  const plain = first.replaceAll(/[^a-z0-9_-]+/g, "-").slice(0, 58);
  return plain.replace(/^[^a-z0-9]+/, "").replace(/[^a-z0-9]+$/, "") || "node";
}

export function requireFreshNonce(
  ctx: EnrollContext,
  given: { subject: string; agentNonce: string; serverNonce: string },
): void {
  const scope = { key: nonceKey(ctx), subject: given.subject, agentNonce: given.agentNonce };
  if (!isFreshNonce(scope, given.serverNonce, ctx.clock.nowMs())) {
    throw new NexusError("signature_invalid", {
      detail: "The challenge that was answered is older than two minutes or not ours. Run the command again.",
    });
  }
}

export function requireOwnOrigin(ctx: EnrollContext, origin: string): void {
  if (ctx.origins().includes(origin)) return;
  throw new NexusError("forbidden", {
    detail: `The node dialled ${origin}, but this control plane answers to ${ctx.origins().join(", ")}. Set NEXUS_PUBLIC_URL to the address that nodes use, then make a new token.`,
  });
}

function requireSignature(publicKey: string, terms: EnrollTerms, signature: string): void {
  if (verifyText(publicKey, enrollTranscript(terms), signature)) return;
  throw new NexusError("signature_invalid", {
    detail: `The request is not signed by the ${terms.role === "token" ? "token" : "node"} that it names.`,
  });
}

function parseFacts(text: string): EnrollFacts {
  try {
    return enrollFactsSchema.parse(JSON.parse(text));
  } catch (cause) {
    throw new NexusError("bad_request", { detail: "The node's facts are not in the agreed form.", cause });
  }
}

function whyDead(token: NonNullable<Awaited<ReturnType<typeof findEnrollToken>>>): NexusError {
  const anew = "Make a new one on the Enrol page of the dashboard.";
  if (token.revokedAt !== null) {
    return new NexusError("token_revoked", {
      detail: `The enrolment token ${token.publicId} was revoked. ${anew}`,
    });
  }
  if (token.uses >= token.usesMax) {
    const uses = token.usesMax === 1 ? "its one use is" : `all ${token.usesMax} uses are`;
    return new NexusError("token_used", {
      detail: `The enrolment token ${token.publicId} is used up: ${uses} taken. ${anew}`,
    });
  }
  return new NexusError("token_expired", {
    detail: `The enrolment token ${token.publicId} expired at ${token.expiresAt.toISOString()}. ${anew}`,
  });
}

const nonceKey = (ctx: EnrollContext) => ctx.identity.deriveKey("enroll nonce");
