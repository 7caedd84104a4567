/**
 * The server that a node has pinned, so that a test can be wrong on purpose with the right key in hand. Owns: its port and sockets.
 * It takes one connection after the other and says nothing of its own but what is asked of it.
 */
import { EventEmitter, once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { newKeyPair, signText } from "@nexus/shared/crypto/ed25519";
import { sha256 } from "@nexus/shared/crypto/fingerprint";
import { decodeFrame, encodeFrame } from "@nexus/shared/protocol/frame";
import {
  type Hello,
  handshakeTranscript,
  helloDigestText,
  refusalTranscript,
} from "@nexus/shared/protocol/handshake";
import { PROTOCOL_VERSION_MAX } from "@nexus/shared/protocol/limits";
import type { AgentMessage, MessageOf, ServerMessage } from "@nexus/shared/protocol/messages";
import { type WebSocket, WebSocketServer } from "ws";
import type { Identity } from "../identity-store.ts";

/** One connection of the node. */
export type NodeConnection = {
  readonly ws: WebSocket;
  /** What carries it, for bytes that are no WebSocket frame. */
  readonly carrier: Socket;
  /** All that came, in order. */
  readonly received: AgentMessage[];
  readonly closed: Promise<void>;
  /** Waits for the next of its kind; throws when the connection ends before. */
  next<T extends AgentMessage["type"]>(type: T): Promise<MessageOf<AgentMessage, T>>;
  send(message: ServerMessage): void;
  challenge(): void;
  /** Signed over what it says, the generation too. */
  welcome(hello: Hello, change?: { generation?: number; heartbeatMs?: number; protocol?: number }): void;
  /** The signed end of a node. */
  revoke(hello: Hello): void;
};

const SERVER_NONCE = "sn";

export async function startPinnedServer(nodeId = "t_1") {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const key = newKeyPair();
  const sockets = new WebSocketServer({ noServer: true });
  const waiting: NodeConnection[] = [];
  const arrivals = new EventEmitter();
  server.on("upgrade", (request, socket, head) => {
    sockets.handleUpgrade(request, socket, head, (ws) => {
      waiting.push(connectionOf(ws, request.socket));
      arrivals.emit("connection");
    });
  });

  function connectionOf(ws: WebSocket, carrier: Socket): NodeConnection {
    const events = new EventEmitter();
    const received: AgentMessage[] = [];
    const taken = new Map<string, number>();
    const closed = new Promise<void>((resolve) => ws.on("close", () => resolve()));
    void closed.then(() => events.emit("message"));
    ws.on("error", () => undefined);
    ws.on("message", (data) => {
      received.push(decodeFrame(data as Buffer).header as AgentMessage);
      events.emit("message");
    });
    const send = (message: ServerMessage) => ws.send(encodeFrame(message));
    return {
      ...{ ws, carrier, received, closed, send },
      async next(type) {
        for (;;) {
          const from = taken.get(type) ?? 0;
          const at = received.findIndex((message, index) => index >= from && message.type === type);
          if (at >= 0) {
            taken.set(type, at + 1);
            return received[at] as never;
          }
          if (ws.readyState === ws.CLOSED)
            throw new Error(`closed before "${type}" came: ${JSON.stringify(received).slice(0, 2000)}`);
          await once(events, "message");
        }
      },
      challenge: () =>
        send({
          type: "challenge",
          serverNonce: SERVER_NONCE,
          protocolMin: 1,
          protocolMax: PROTOCOL_VERSION_MAX,
        }),
      welcome(
        hello,
        { generation = hello.generation + 1, heartbeatMs = 60_000, protocol = PROTOCOL_VERSION_MAX } = {},
      ) {
        const transcript = handshakeTranscript({
          ...{ role: "server" as const, nodeId, serverNonce: SERVER_NONCE, protocol, origin, generation },
          agentNonce: hello.agentNonce,
          helloSha256: sha256(helloDigestText(hello)),
        });
        const signature = signText(key.seed, transcript);
        send({ type: "welcome", protocol, generation, heartbeatMs, signature });
      },
      revoke({ agentNonce }) {
        const code = "node_revoked";
        const signature = signText(
          key.seed,
          refusalTranscript({ nodeId, serverNonce: SERVER_NONCE, agentNonce, code }),
        );
        send({ type: "refuse", code, message: "removed", retryAfterMs: null, signature });
      },
    };
  }

  return {
    origin,
    identity(): Identity {
      return {
        ...{ version: 1, nodeId, name: "n", team: "Lab", origin, spkiPin: null },
        ...{ serverKey: key.publicKey, ...newKeyPair(), enrolledAt: "2026-01-01" },
      };
    },
    async accept(): Promise<NodeConnection> {
      for (;;) {
        const connection = waiting.shift();
        if (connection !== undefined) return connection;
        await once(arrivals, "connection");
      }
    },
    close(): void {
      for (const ws of sockets.clients) ws.terminate();
      server.closeAllConnections();
      server.close();
    },
  };
}
