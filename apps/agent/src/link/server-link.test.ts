import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type KeyPair, newKeyPair, signText } from "@nexus/shared/crypto/ed25519";
import { sha256 } from "@nexus/shared/crypto/fingerprint";
import { decodeFrame, encodeFrame } from "@nexus/shared/protocol/frame";
import { type Hello, handshakeTranscript, helloDigestText } from "@nexus/shared/protocol/handshake";
import type { AgentMessage, ServerMessage } from "@nexus/shared/protocol/messages";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type WebSocket, WebSocketServer } from "ws";
import { readGeneration, saveGeneration } from "./generation-file.ts";
import { type Identity, writeIdentity } from "./identity-store.ts";
import { createServerLink, type LinkState, type ServerLink } from "./server-link.ts";

const FACTS = {
  hostname: "h",
  os: "o",
  kernel: "k",
  arch: "a",
  cpuModel: "c",
  cpuCount: 1,
  memoryTotalMib: 1,
  user: "u",
  bootId: "b",
  agentVersion: "1",
  nodeVersion: "1",
  gpuDriver: "none" as const,
  gpuDriverVersion: null,
  gpuProblem: null,
};

type Peer = {
  ws: WebSocket;
  next(type: AgentMessage["type"]): Promise<AgentMessage>;
  send(m: ServerMessage): void;
};

let home: string;
let server: Server;
let sockets: WebSocketServer;
let key: KeyPair;
let identity: Identity;
let link: ServerLink;
let states: LinkState[];
let onState: () => void;

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "nexus-link-"));
  server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  sockets = new WebSocketServer({ noServer: true });
  server.on("upgrade", (request, socket, head) => {
    sockets.handleUpgrade(request, socket, head, (ws) => sockets.emit("connection", ws, request));
  });
  key = newKeyPair();
  const node = newKeyPair();
  identity = {
    version: 1,
    nodeId: "t_1",
    name: "n",
    team: "Lab",
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    spkiPin: null,
    serverKey: key.publicKey,
    ...node,
    enrolledAt: "2026-01-01",
  };
  await writeIdentity(home, identity);
  await saveGeneration(home, 3);
  states = [];
  onState = () => undefined;
  link = createServerLink({
    home,
    identity,
    generation: 3,
    agentVersion: "1",
    bootId: "b",
    takeInventory: async () => ({ facts: FACTS, gpus: [], attempts: [] }),
    onMessage: () => undefined,
    onState(state) {
      states.push(state);
      onState();
    },
    pullData: async () => null,
    nowMs: () => performance.now(),
    random: () => 0,
  });
});
afterEach(async () => {
  for (const ws of sockets.clients) ws.terminate();
  await link.stop();
  server.closeAllConnections();
  server.close();
  await rm(home, { recursive: true, force: true });
});

/** The next connection, with a challenge sent. */
async function accept(): Promise<Peer> {
  const [ws] = (await once(sockets, "connection")) as [WebSocket];
  const seen: AgentMessage[] = [];
  const waiting: (() => void)[] = [];
  ws.on("message", (data) => {
    seen.push(decodeFrame(data as Buffer).header as AgentMessage);
    for (const wake of waiting.splice(0)) wake();
  });
  ws.on("error", () => undefined);
  const peer: Peer = {
    ws,
    send: (message) => ws.send(encodeFrame(message)),
    async next(type) {
      for (;;) {
        const at = seen.findIndex((message) => message.type === type);
        const [found] = at < 0 ? [] : seen.splice(at, 1);
        if (found !== undefined) return found;
        await new Promise<void>((resolve) => waiting.push(resolve));
      }
    },
  };
  peer.send({ type: "challenge", serverNonce: "sn", protocolMin: 1, protocolMax: 1 });
  return peer;
}

async function welcome(peer: Peer, given: { key?: KeyPair; heartbeatMs?: number } = {}): Promise<void> {
  const hello = (await peer.next("hello")) as Hello;
  const generation = hello.generation + 1;
  const transcript = handshakeTranscript({
    role: "server",
    nodeId: "t_1",
    serverNonce: "sn",
    agentNonce: hello.agentNonce,
    protocol: 1,
    origin: identity.origin,
    generation,
    helloSha256: sha256(helloDigestText(hello)),
  });
  const signature = signText((given.key ?? key).seed, transcript);
  peer.send({
    type: "welcome",
    protocol: 1,
    generation,
    heartbeatMs: given.heartbeatMs ?? 60_000,
    signature,
  });
}

async function untilState(fits: (state: LinkState) => boolean): Promise<LinkState> {
  for (;;) {
    const found = states.find(fits);
    if (found !== undefined) return found;
    await new Promise<void>((resolve) => {
      onState = resolve;
    });
  }
}

describe("link to the server", () => {
  it("[P32] the generation is on the disk before the inventory tells it", async () => {
    link.start();
    const peer = await accept();
    await welcome(peer);
    expect(await peer.next("inventory")).toMatchObject({ generation: 4, last: true });
    expect(await readGeneration(home)).toBe(4);
    peer.send({ type: "sync", attempts: [] });
    await untilState(({ name }) => name === "connected");
    expect(link.isLive()).toBe(true);
  });

  it("[P33] a server that cannot prove the pinned key gets no inventory, and the identity stays as it was", async () => {
    link.start();
    const peer = await accept();
    await welcome(peer, { key: newKeyPair() });
    await once(peer.ws, "close");
    const state = await untilState(({ name }) => name === "waiting");
    expect(state.problem).toMatchObject({ code: "pin_mismatch" });
    expect(state.retryInMs).toBeGreaterThanOrEqual(30_000);
    expect(JSON.parse(await readFile(join(home, "identity.json"), "utf8"))).toEqual(identity);
    expect(await readGeneration(home)).toBe(3);
  });

  it("[P41] text and bad frames of a server end the connection, which is tried again", async () => {
    link.start();
    const bad: ((peer: Peer) => void)[] = [
      (peer) => peer.ws.send("text"),
      (peer) => peer.ws.send(Buffer.from([0, 0, 0, 9, 1])),
      (peer) => peer.ws.send(encodeFrame({ type: "shutdown" })),
    ];
    for (const act of bad) {
      const peer = await accept();
      const closed = once(peer.ws, "close");
      act(peer);
      await closed;
    }
    await accept();
    const problems = states.filter(({ name }) => name === "waiting").map(({ problem }) => problem?.code);
    expect(problems).toEqual(["protocol_error", "protocol_error", "protocol_error"]);
  });

  it("[P41] a busy server is asked again when it said, and a proxy that knows no WebSockets is named", async () => {
    const statuses = [
      ["503 Service Unavailable", "retry-after: 2\r\n"],
      ["404 Not Found", ""],
    ];
    server.removeAllListeners("upgrade");
    server.on("upgrade", (_request, socket) => {
      const [status, headers] = statuses.shift() ?? ["500 Oops", ""];
      socket.end(`HTTP/1.1 ${status}\r\n${headers}content-length: 0\r\nconnection: close\r\n\r\n`);
    });
    link.start();
    const busy = await untilState(({ name }) => name === "waiting");
    expect(busy).toMatchObject({ retryInMs: 2_500, problem: { code: "unavailable" } });
    const proxy = await untilState(({ problem }) => problem?.message.includes("status 404") === true);
    expect(proxy.problem?.message).toContain("proxy");
  });

  it("[P17] a server that went silent is left and dialled again", async () => {
    link.start();
    const peer = await accept();
    await welcome(peer, { heartbeatMs: 20 });
    await peer.next("inventory");
    peer.send({ type: "sync", attempts: [] });
    const again = await accept();
    expect(await again.next("hello")).toMatchObject({ generation: 4 });
    expect(states.some(({ problem }) => problem?.message.includes("silent"))).toBe(true);
  });

  it("[P35] a heartbeat is answered at once with its number", async () => {
    link.start();
    const peer = await accept();
    await welcome(peer);
    await peer.next("inventory");
    peer.send({ type: "heartbeat", seq: 77 });
    expect(await peer.next("heartbeat")).toEqual({ type: "heartbeat", seq: 77 });
  });

  it("[P42] what happens after the inventory was sent is told at once; before that it is in the inventory", async () => {
    link.start();
    const peer = await accept();
    expect(link.send({ type: "started", attempts: [] })).toBe(false);
    await welcome(peer);
    await peer.next("inventory");
    expect(link.send({ type: "started", attempts: [] })).toBe(true);
    expect(await peer.next("started")).toEqual({ type: "started", attempts: [] });
  });
});
