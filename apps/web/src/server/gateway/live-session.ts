import type { Duplex } from "node:stream";
import type { CloseName } from "@nexus/shared/protocol/close-codes";
import type { AgentMessage, MessageOf, ServerMessage } from "@nexus/shared/protocol/messages";
import type { TunnelTo } from "@nexus/shared/tunnel/tunnel-mux";
import type { NodeSession } from "../services/ports.ts";

/** A node's socket after its hello was found true, as the hub holds it. */
export type LiveSession = {
  readonly node: NodeSession;
  readonly remoteAddress: string;
  /** The inventory was taken: messages may be sent. */
  isReady(): boolean;
  /** False when it is not ready, or so much waits in its socket that it must be stuck. */
  send(message: ServerMessage): boolean;
  /** A connection to a service of the node. @throws NexusError as the node refused it, or when its agent cannot. */
  openTunnel(to: TunnelTo): Promise<Duplex>;
  end(why: CloseName, retryAfterMs?: number): void;
  /** Whether the node answers a heartbeat in time. */
  probe(timeoutMs: number): Promise<boolean>;
  /** Once an interval: ends the session of a silent node, otherwise sends a heartbeat. */
  beat(intervalMs: number): void;
  notice(message: MessageOf<AgentMessage, "notice">): void;
  /** After the socket is gone and the services were told so. */
  readonly finished: Promise<void>;
};

export type GatewayLog = (
  level: "info" | "warn" | "error",
  message: string,
  facts?: Record<string, unknown>,
) => void;
