/**
 * One agent's socket as a state machine; pure, `agent-socket.ts` is its shell.
 *
 * States: challenged → verifying → syncing → live, and closed from everywhere.
 *   challenged  our nonce is out; nothing but `hello` may come
 *   verifying   the hello is being checked and an older connection of the node probed; nothing may come
 *   syncing     welcome is out; the inventory comes in parts, heartbeats may come between
 *   live        all other messages
 * Invariants: nothing is delivered before the node proved who it is; a refusal is said before the socket closes; after
 * `closed` there are no effects. It refuses: any message outside its state, and payload on a message that has none.
 */
import type { ErrorCode } from "@nexus/shared/errors";
import type { CloseName } from "@nexus/shared/protocol/close-codes";
import type { Hello } from "@nexus/shared/protocol/handshake";
import {
  HANDSHAKE_TIMEOUT_MS,
  LOG_CHUNK_BYTES_MAX,
  PROTOCOL_VERSION_MAX,
  PROTOCOL_VERSION_MIN,
  TUNNEL_CHUNK_BYTES_MAX,
} from "@nexus/shared/protocol/limits";
import type { AgentMessage, MessageOf, ServerMessage } from "@nexus/shared/protocol/messages";

export type InventoryPart = MessageOf<AgentMessage, "inventory">;
export type LiveMessage = Exclude<AgentMessage, { type: "hello" | "inventory" | "heartbeat" }>;

export type SessionState =
  | { phase: "challenged"; serverNonce: string }
  | { phase: "verifying"; serverNonce: string; hello: Hello }
  | { phase: "syncing"; generation: number; parts: readonly InventoryPart[] }
  | { phase: "live" }
  | { phase: "closed" };

export type SessionRefusal = {
  close: CloseName;
  code: ErrorCode;
  message: string;
  retryAfterMs: number | null;
  signature: string | null;
};

export type SessionEvent =
  | { type: "message"; message: AgentMessage; payload: Uint8Array }
  | { type: "bad_frame"; message: string }
  | { type: "welcomed"; protocol: number; generation: number; signature: string; heartbeatMs: number }
  | { type: "refused"; refusal: SessionRefusal }
  | { type: "deadline" }
  | { type: "closed" };

export type SessionEffect =
  | { do: "send"; message: ServerMessage }
  | { do: "verify"; hello: Hello; serverNonce: string }
  | { do: "sync"; generation: number; parts: readonly InventoryPart[] }
  | { do: "deliver"; message: LiveMessage; payload: Uint8Array }
  /** Null: no deadline any more. */
  | { do: "deadline"; afterMs: number | null }
  | { do: "refuse"; refusal: SessionRefusal };

export type SessionStep = { state: SessionState; effects: SessionEffect[] };

/** A node may probe its GPUs before it can tell its inventory; `nvidia-smi` takes seconds on a cold driver. */
const INVENTORY_TIMEOUT_MS = 60_000;
/** 20,000 attempts; a node forgets each as soon as its log is durable here. */
const INVENTORY_PARTS_MAX = 40;
const CLOSED: SessionState = { phase: "closed" };

export function openSession(serverNonce: string): SessionStep {
  return {
    state: { phase: "challenged", serverNonce },
    effects: [
      {
        do: "send",
        message: {
          type: "challenge",
          serverNonce,
          protocolMin: PROTOCOL_VERSION_MIN,
          protocolMax: PROTOCOL_VERSION_MAX,
        },
      },
      { do: "deadline", afterMs: HANDSHAKE_TIMEOUT_MS },
    ],
  };
}

export function stepSession(state: SessionState, event: SessionEvent): SessionStep {
  if (state.phase === "closed") return { state, effects: [] };
  switch (event.type) {
    case "message":
      return onMessage(state, event.message, event.payload);
    case "bad_frame":
      return refuse({ close: "protocolError", code: "protocol_error", message: event.message });
    case "welcomed": {
      if (state.phase !== "verifying") return { state, effects: [] };
      const { protocol, generation, signature, heartbeatMs } = event;
      return {
        state: { phase: "syncing", generation, parts: [] },
        effects: [
          { do: "send", message: { type: "welcome", protocol, generation, heartbeatMs, signature } },
          { do: "deadline", afterMs: INVENTORY_TIMEOUT_MS },
        ],
      };
    }
    case "refused":
      return refuse(event.refusal);
    case "deadline":
      return refuse({
        close: "handshakeTimeout",
        code: "protocol_error",
        message: `The handshake took too long: it stopped at "${state.phase}".`,
      });
    case "closed":
      return { state: CLOSED, effects: [] };
  }
}

function onMessage(state: SessionState, message: AgentMessage, payload: Uint8Array): SessionStep {
  if (payload.length > payloadBytesMax(message.type)) {
    return protocolError(`a "${message.type}" message with ${payload.length} bytes of payload`);
  }
  if (state.phase === "challenged" && message.type === "hello") {
    return {
      state: { phase: "verifying", serverNonce: state.serverNonce, hello: message },
      effects: [{ do: "verify", hello: message, serverNonce: state.serverNonce }],
    };
  }
  if (state.phase === "syncing" && message.type === "inventory") return onInventory(state, message);
  if (state.phase === "syncing" && message.type === "heartbeat") return { state, effects: [] };
  if (state.phase === "live" && message.type !== "hello" && message.type !== "inventory") {
    return { state, effects: message.type === "heartbeat" ? [] : [{ do: "deliver", message, payload }] };
  }
  return protocolError(`a "${message.type}" message while the session is "${state.phase}"`);
}

function payloadBytesMax(type: AgentMessage["type"]): number {
  if (type === "log") return LOG_CHUNK_BYTES_MAX;
  return type === "tunnel_data" ? TUNNEL_CHUNK_BYTES_MAX : 0;
}

function onInventory(
  state: Extract<SessionState, { phase: "syncing" }>,
  message: InventoryPart,
): SessionStep {
  if (message.generation !== state.generation) {
    return protocolError(`generation ${message.generation} confirmed, ${state.generation} was offered`);
  }
  const parts = [...state.parts, message];
  if (parts.length > INVENTORY_PARTS_MAX) return protocolError(`an inventory of ${parts.length} parts`);
  if (!message.last) return { state: { ...state, parts }, effects: [] };
  return {
    state: { phase: "live" },
    effects: [
      { do: "deadline", afterMs: null },
      { do: "sync", generation: state.generation, parts },
    ],
  };
}

function protocolError(what: string): SessionStep {
  return refuse({ close: "protocolError", code: "protocol_error", message: `The node sent ${what}.` });
}

function refuse(
  given: Partial<SessionRefusal> & Pick<SessionRefusal, "close" | "code" | "message">,
): SessionStep {
  const refusal = { retryAfterMs: null, signature: null, ...given };
  return {
    state: CLOSED,
    effects: [
      { do: "deadline", afterMs: null },
      { do: "refuse", refusal },
    ],
  };
}
