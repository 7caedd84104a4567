/** Which node a machine is. Its word alone is nothing: whoever could claim another node's id would take over its name, its way and its jobs. */
import { verifyText } from "@nexus/shared/crypto/ed25519";
import { NexusError } from "@nexus/shared/errors";
import { nodeProofTranscript } from "@nexus/shared/protocol/handshake";
import { findNodeKey } from "../../db/queries/find-node-key.ts";
import type { AgentCommands, RemoteStatus } from "./remote-agent.ts";
import type { SshContext } from "./ssh-context.ts";

const CHALLENGE_BYTES = 32;

/** `isProven`: it holds the key of a node of this control plane. Null when it was never enrolled. */
export type AskedNode = RemoteStatus & { isProven: boolean };

export async function askNode(ctx: SshContext, agent: AgentCommands): Promise<AskedNode | null> {
  const challenge = Buffer.from(ctx.randomBytes(CHALLENGE_BYTES)).toString("base64url");
  const status = await agent.status(challenge);
  if (status === null) return null;
  const { nodeId } = status.node;
  const key = await findNodeKey(ctx.db, nodeId);
  const isProven =
    key !== null && verifyText(key.publicKey, nodeProofTranscript({ nodeId, challenge }), status.proof ?? "");
  return { ...status, isProven };
}

/** @throws NexusError where it claims to be a node of this control plane and does not hold its key. */
export async function refuseUnproven(ctx: SshContext, { node, isProven }: AskedNode): Promise<void> {
  if (isProven || (await findNodeKey(ctx.db, node.nodeId)) === null) return;
  throw new NexusError("conflict", {
    detail: `It says that it is ${node.nodeId}, and does not hold that node's key: that node was set up anew elsewhere, or this machine is not what it says. Nothing was touched. To make another target of it, allow its identity to be replaced (--replace-identity).`,
  });
}
