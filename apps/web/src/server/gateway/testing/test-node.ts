/** A node made of nothing but keys and a socket, so that a test can be wrong on purpose at every step of the protocol. */
import { randomBytes } from "node:crypto";
import { EventEmitter, once } from "node:events";
import type { Socket } from "node:net";
import { type KeyPair, newKeyPair, signText } from "@nexus/shared/crypto/ed25519";
import { sha256 } from "@nexus/shared/crypto/fingerprint";
import type { EnrollAnswer, EnrollChallenge, EnrollRequest } from "@nexus/shared/protocol/enroll-messages";
import { decodeEnrollToken } from "@nexus/shared/protocol/enroll-token";
import { decodeFrame, encodeFrame } from "@nexus/shared/protocol/frame";
import {
  enrollTranscript,
  type Hello,
  handshakeTranscript,
  helloDigestText,
} from "@nexus/shared/protocol/handshake";
import type { AgentMessage, HostFacts, MessageOf, ServerMessage } from "@nexus/shared/protocol/messages";
import { WebSocket } from "ws";

export const TEST_FACTS: HostFacts = {
  hostname: "gpu1.lab.example.org",
  os: "Linux",
  kernel: "6.1",
  arch: "x64",
  cpuModel: "test",
  cpuCount: 2,
  memoryTotalMib: 1024,
  user: "ada",
  bootId: "boot-1",
  agentVersion: "0.1.0",
  nodeVersion: "24.0.0",
  gpuDriver: "none",
  gpuDriverVersion: null,
  gpuProblem: null,
};

export type TestIdentity = { nodeId: string; key: KeyPair; origin: string; generation: number };

/** Builds a right request; `change` makes it wrong after it was signed. */
export async function enrollTestNode(
  secret: string,
  options: { key?: KeyPair; name?: string; change?: (request: EnrollRequest) => void } = {},
): Promise<{
  status: number;
  body: { error?: { code: string; message: string } } & Partial<EnrollAnswer>;
  identity: TestIdentity;
}> {
  const token = decodeEnrollToken(secret);
  const key = options.key ?? newKeyPair();
  const agentNonce = randomBytes(32).toString("base64url");
  const asked = await fetch(
    `${token.origin}/api/enroll/challenge?token=${token.tokenId}&nonce=${agentNonce}`,
  );
  const challenge = (await asked.json()) as EnrollChallenge;
  const facts = JSON.stringify({ name: options.name ?? null, facts: TEST_FACTS, gpus: [] });
  const terms = {
    tokenId: token.tokenId,
    serverNonce: challenge.serverNonce,
    agentNonce,
    origin: token.origin,
    publicKey: key.publicKey,
    subject: sha256(facts),
  };
  const { subject, ...rest } = terms;
  const request: EnrollRequest = {
    ...rest,
    facts,
    tokenSignature: signText(token.seed, enrollTranscript({ ...rest, role: "token", subject })),
    nodeSignature: signText(key.seed, enrollTranscript({ ...rest, role: "node", subject })),
  };
  options.change?.(request);
  const response = await fetch(`${token.origin}/api/enroll`, {
    method: "POST",
    body: JSON.stringify(request),
  });
  const body = (await response.json()) as EnrollAnswer;
  return {
    status: response.status,
    body,
    identity: { nodeId: body.nodeId ?? "", key, origin: token.origin, generation: 0 },
  };
}

export type TestSocket = {
  readonly ws: WebSocket;
  /** What carries it, for bytes that are no WebSocket frame; null until it is open. */
  readonly carrier: Socket | null;
  readonly received: ServerMessage[];
  next<T extends ServerMessage["type"]>(type: T): Promise<MessageOf<ServerMessage, T>>;
  send(message: AgentMessage, payload?: Uint8Array): void;
  closed: Promise<{ code: number; reason: string }>;
  /** Answers challenge, writes the generation down, confirms it. */
  connect(identity: TestIdentity, change?: HelloChange): Promise<void>;
  /** @param known a challenge that came already; without it the next is awaited. */
  hello(
    identity: TestIdentity,
    change?: HelloChange,
    known?: MessageOf<ServerMessage, "challenge">,
  ): Promise<Hello>;
};

export type HelloChange = {
  role?: "agent" | "server";
  serverNonce?: string;
  protocolMin?: number;
  protocolMax?: number;
  protocol?: number;
  generation?: number;
  signedOrigin?: string;
};

/** @param answersBeats false for a node that went silent without closing. */
export async function openTestSocket(origin: string, answersBeats = true): Promise<TestSocket> {
  const ws = new WebSocket(`${origin.replace(/^http/, "ws")}/ws/agent`, { perMessageDeflate: false });
  const events = new EventEmitter();
  const received: ServerMessage[] = [];
  const taken = new Map<string, number>();
  let carrier: Socket | null = null;
  ws.on("upgrade", ({ socket }) => {
    carrier = socket;
  });
  const closed = new Promise<{ code: number; reason: string }>((resolve) => {
    ws.on("close", (code, reason) => {
      resolve({ code, reason: reason.toString() });
      events.emit("message");
    });
  });
  ws.on("error", () => undefined);
  ws.on("message", (data) => {
    const message = decodeFrame(data as Buffer).header as ServerMessage;
    received.push(message);
    if (message.type === "heartbeat" && answersBeats) socket.send(message);
    events.emit("message");
  });

  const socket: TestSocket = {
    ws,
    get carrier() {
      return carrier;
    },
    received,
    closed,
    async next(type) {
      for (;;) {
        const from = taken.get(type) ?? 0;
        const index = received.findIndex((message, at) => at >= from && message.type === type);
        if (index >= 0) {
          taken.set(type, index + 1);
          return received[index] as never;
        }
        if (ws.readyState === WebSocket.CLOSED) {
          throw new Error(`closed before "${type}" came: ${JSON.stringify([await closed, received])}`);
        }
        await once(events, "message");
      }
    },
    send: (message, payload) => ws.send(encodeFrame(message, payload)),
    async hello(identity, change = {}, known) {
      const challenge = known ?? (await socket.next("challenge"));
      const unsigned: Omit<Hello, "signature"> = {
        type: "hello",
        nodeId: identity.nodeId,
        protocolMin: change.protocolMin ?? 1,
        protocolMax: change.protocolMax ?? 1,
        agentNonce: randomBytes(32).toString("base64url"),
        generation: change.generation ?? identity.generation,
        agentVersion: "0.1.0",
        bootId: "boot-1",
        origin: identity.origin,
      };
      const transcript = handshakeTranscript({
        role: change.role ?? "agent",
        nodeId: identity.nodeId,
        serverNonce: change.serverNonce ?? challenge.serverNonce,
        agentNonce: unsigned.agentNonce,
        protocol: change.protocol ?? 1,
        origin: change.signedOrigin ?? identity.origin,
        generation: unsigned.generation,
        helloSha256: sha256(helloDigestText(unsigned)),
      });
      const hello: Hello = { ...unsigned, signature: signText(identity.key.seed, transcript) };
      socket.send(hello);
      return hello;
    },
    async connect(identity, change) {
      await socket.hello(identity, change);
      const { generation } = await socket.next("welcome");
      identity.generation = generation;
      socket.send({ type: "inventory", generation, facts: TEST_FACTS, gpus: [], attempts: [], last: true });
    },
  };
  return socket;
}
