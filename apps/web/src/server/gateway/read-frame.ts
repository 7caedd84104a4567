import { NexusError } from "@nexus/shared/errors";
import { decodeFrame } from "@nexus/shared/protocol/frame";
import { type AgentMessage, agentMessageSchema } from "@nexus/shared/protocol/messages";

export type ReadFrame =
  | { ok: true; message: AgentMessage; payload: Uint8Array }
  /** A sentence that a person can read. */
  | { ok: false; message: string };

/** A WebSocket message of an agent, checked. Never throws, whatever came. */
export function readFrame(data: Uint8Array, isBinary: boolean): ReadFrame {
  if (!isBinary)
    return { ok: false, message: "The node sent a text frame; the link speaks binary frames only." };
  try {
    const { header, payload } = decodeFrame(data);
    const parsed = agentMessageSchema.safeParse(header);
    if (parsed.success) return { ok: true, message: parsed.data, payload };
    const issue = parsed.error.issues[0];
    const type = typeof header === "object" && header !== null && "type" in header ? header.type : "?";
    return {
      ok: false,
      message: `The node sent a message of type ${JSON.stringify(type)?.slice(0, 40)} that is not in the protocol: ${issue?.path.join(".") ?? ""} ${issue?.message ?? ""}`,
    };
  } catch (error) {
    if (error instanceof NexusError) return { ok: false, message: error.message };
    throw error;
  }
}
