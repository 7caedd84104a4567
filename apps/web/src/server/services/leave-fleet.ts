import { verifyText } from "@nexus/shared/crypto/ed25519";
import { NexusError } from "@nexus/shared/errors";
import type { GoodbyeRequest } from "@nexus/shared/protocol/enroll-messages";
import { goodbyeTranscript } from "@nexus/shared/protocol/handshake";
import { findNodeKey } from "../db/queries/find-node-key.ts";
import { insertAuditEvent } from "../db/queries/insert-audit-event.ts";
import { revokeTargetByNode } from "../db/queries/revoke-target-by-node.ts";
import type { EnrollContext } from "./enroll-context.ts";
import { requireFreshNonce, requireOwnOrigin } from "./enroll-node.ts";

/** A node takes itself out of the fleet, signed with its key. Saying it twice is no error. */
export async function leaveFleet(ctx: EnrollContext, request: GoodbyeRequest): Promise<void> {
  requireFreshNonce(ctx, { ...request, subject: request.nodeId });
  requireOwnOrigin(ctx, request.origin);
  const node = await findNodeKey(ctx.db, request.nodeId);
  if (node === null || !verifyText(node.publicKey, goodbyeTranscript(request), request.signature)) {
    throw new NexusError("signature_invalid", {
      detail: `${request.nodeId} is not a node of this control plane, or this is not its key.`,
    });
  }
  const left = await ctx.db.transaction(async (tx) => {
    const row = await revokeTargetByNode(tx, node.targetId);
    if (row === null) return null;
    await insertAuditEvent(tx, {
      teamId: row.teamId,
      actor: `node ${node.targetName} (${row.publicId})`,
      action: "target.left",
      subject: row.publicId,
      detail: `${node.targetName} was unenrolled on the machine itself.`,
      at: new Date(ctx.clock.nowMs()),
    });
    return row;
  });
  if (left === null) return;
  ctx.disconnect(node.targetId, "revoked");
  await ctx.targetChanged(node.targetId);
  ctx.events.emit("target", { teamId: left.teamId, target: left.publicId, removed: true });
}
