import { NexusError } from "../errors.ts";
import { decodeFrame } from "./frame.ts";
import type { AgentMessage, ServerMessage, TunnelAnswer, TunnelAsk } from "./messages.ts";
import { agentMessageSchema, serverMessageSchema, tunnelAnswerSchema, tunnelAskSchema } from "./messages.ts";

export type ReadMessage<T> =
  | { ok: true; message: T; payload: Uint8Array }
  /** A sentence that a person can read. */
  | { ok: false; message: string };

/** What a WebSocket gave us. */
export type RawMessage = { data: Uint8Array; isBinary: boolean };

type Schema<T> = {
  safeParse(
    value: unknown,
  ):
    | { success: true; data: T }
    | { success: false; error: { issues: readonly { path: readonly PropertyKey[]; message: string }[] } };
};

/** Never throws, whatever came. */
export const readAgentMessage = (raw: RawMessage): ReadMessage<AgentMessage> =>
  readMessage(agentMessageSchema, raw, "node");

export const readServerMessage = (raw: RawMessage): ReadMessage<ServerMessage> =>
  readMessage(serverMessageSchema, raw, "server");

/** What `nexus port-forward` sends, and what it is answered. */
export const readTunnelAsk = (raw: RawMessage): ReadMessage<TunnelAsk> =>
  readMessage(tunnelAskSchema, raw, "client");

export const readTunnelAnswer = (raw: RawMessage): ReadMessage<TunnelAnswer> =>
  readMessage(tunnelAnswerSchema, raw, "server");

function readMessage<T>(
  schema: Schema<T>,
  raw: RawMessage,
  sender: "node" | "server" | "client",
): ReadMessage<T> {
  if (!raw.isBinary) {
    return { ok: false, message: `The ${sender} sent a text frame; the link speaks binary frames only.` };
  }
  try {
    const { header, payload } = decodeFrame(raw.data);
    const parsed = schema.safeParse(header);
    if (parsed.success) return { ok: true, message: parsed.data, payload };
    const issue = parsed.error.issues[0];
    const type = typeof header === "object" && header !== null && "type" in header ? header.type : "?";
    const named = JSON.stringify(type)?.slice(0, 40);
    const where = issue === undefined ? "" : `: ${issue.path.map(String).join(".")} ${issue.message}`;
    return {
      ok: false,
      message: `The ${sender} sent a message of type ${named} that is not in the protocol${where}`,
    };
  } catch (error) {
    if (error instanceof NexusError) return { ok: false, message: error.message };
    throw error;
  }
}
