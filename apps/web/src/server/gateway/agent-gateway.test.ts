import type { Socket } from "node:net";
// tidy-allow sleep: that a socket is not read any more can only be asked, turn after turn
import { setImmediate as turn } from "node:timers/promises";
import { verifyText } from "@nexus/shared/crypto/ed25519";
import { sha256 } from "@nexus/shared/crypto/fingerprint";
import { CLOSE } from "@nexus/shared/protocol/close-codes";
import { encodeFrame } from "@nexus/shared/protocol/frame";
import { handshakeTranscript, helloDigestText, refusalTranscript } from "@nexus/shared/protocol/handshake";
import { FRAME_BYTES_MAX, LOG_CHUNK_BYTES_MAX } from "@nexus/shared/protocol/limits";
import { eq } from "drizzle-orm";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { auditEvent } from "../db/schema/audit.ts";
import { nodeKey, target } from "../db/schema/target.ts";
import { startTestControlPlane, type TestControlPlane } from "./testing/test-control-plane.ts";
import {
  enrollTestNode,
  type HelloChange,
  openTestSocket,
  TEST_FACTS,
  type TestIdentity,
  type TestSocket,
} from "./testing/test-node.ts";

let plane: TestControlPlane;
const open: TestSocket[] = [];

beforeAll(async () => {
  plane = await startTestControlPlane({ probeMs: 300 });
});
afterAll(() => plane.close());
afterEach(() => {
  for (const socket of open.splice(0)) socket.ws.terminate();
  plane.port.before = async () => undefined;
});

async function enrolled(): Promise<TestIdentity> {
  return (await enrollTestNode((await plane.token()).secret)).identity;
}

async function dial(answersBeats = true): Promise<TestSocket> {
  const socket = await openTestSocket(plane.origin, answersBeats);
  open.push(socket);
  return socket;
}

async function connected(identity: TestIdentity, answersBeats = true): Promise<TestSocket> {
  const socket = await dial(answersBeats);
  await socket.connect(identity);
  const { generation } = identity;
  await plane.port.seen(
    "inventory",
    ({ node, args }) =>
      node.targetPublicId === identity.nodeId &&
      (args[0] as { generation: number }[])[0]?.generation === generation,
  );
  return socket;
}

/** An exit, and a notice behind it: exits that stand together would be handled as one. */
function sendExit(socket: TestSocket, attempt: string): void {
  const end = { exitCode: 0, signal: null, reason: "exited" as const, message: null, logBytes: 0 };
  const rest = { ranMs: 1, endedAgoMs: 0, leftovers: [] };
  socket.send({ type: "exited", attempts: [{ attempt, fence: 1, ...end, ...rest }] });
  socket.send({ type: "notice", level: "info", code: "filler", message: "x".repeat(1000) });
}

async function targetIdOf(identity: TestIdentity): Promise<number> {
  const rows = await plane.ctx.db.select().from(target).where(eq(target.publicId, identity.nodeId));
  return rows[0]?.id ?? -1;
}

async function generationsOf(identity: TestIdentity) {
  const rows = await plane.ctx.db
    .select()
    .from(nodeKey)
    .where(eq(nodeKey.targetId, await targetIdOf(identity)));
  return [rows[0]?.generation, rows[0]?.generationOffered];
}

async function refusedHello(identity: TestIdentity, change: HelloChange = {}) {
  const socket = await dial();
  const hello = await socket.hello(identity, change);
  const refusal = await socket.next("refuse");
  return { hello, refusal, serverNonce: (await firstOf(socket)).serverNonce, closed: await socket.closed };
}

async function firstOf(socket: TestSocket) {
  const first = socket.received[0];
  if (first?.type !== "challenge") throw new Error("no challenge came first");
  return first;
}

async function speaking2(identity: TestIdentity): Promise<TestSocket> {
  const socket = await dial();
  await socket.connect(identity, { protocolMax: 2, protocol: 2 });
  await socket.next("sync");
  return socket;
}

describe("tunnels to a node", () => {
  const to = { host: "localhost", port: 8000 };

  it("[P54] a node that speaks protocol 1 works as ever, and is asked for no tunnel: its agent needs an update", async () => {
    const identity = await enrolled();
    const socket = await connected(identity);
    await socket.next("sync");
    const refused = plane.openTunnel(identity.nodeId, to);
    await expect(refused).rejects.toMatchObject({
      code: "needs_update",
      message: expect.stringMatching(/speaks protocol 1, they need 2\. Update it there: npx nexus-agent/),
    });
    sendExit(socket, "a_protocol1");
    await plane.port.seen("exited", ({ args }) => JSON.stringify(args).includes("a_protocol1"));
    expect(socket.received.filter(({ type }) => type.startsWith("tunnel_"))).toEqual([]);
    await expect(plane.openTunnel("t_nobody", to)).rejects.toMatchObject({ code: "target_offline" });
  });

  it("[P55] what a node says of tunnels that are over, or never were, changes nothing; its own words refuse one", async () => {
    const identity = await enrolled();
    const socket = await speaking2(identity);
    for (const type of ["tunnel_opened", "tunnel_data", "tunnel_end"] as const)
      socket.send({ type, tunnel: 7 });
    socket.send({ type: "tunnel_credit", tunnel: 7, bytes: 1 });
    socket.send({ type: "tunnel_reset", tunnel: 7, code: "internal", message: "?" });
    const opening = plane.openTunnel(identity.nodeId, to);
    const asked = await socket.next("tunnel_open");
    expect(asked).toMatchObject({ ...to, tunnel: 0 });
    socket.send({ type: "tunnel_reset", tunnel: 0, code: "forbidden", message: "Not here." });
    await expect(opening).rejects.toMatchObject({ code: "forbidden", message: "Not here." });
    expect(plane.hub.isConnected(await targetIdOf(identity))).toBe(true);
  });

  it("[P51] towards a node that gives no credit a window leaves and no more, and control leaves all the same", async () => {
    const identity = await enrolled();
    const socket = await speaking2(identity);
    const opening = plane.openTunnel(identity.nodeId, to);
    socket.send({ type: "tunnel_opened", tunnel: (await socket.next("tunnel_open")).tunnel });
    const stream = await opening;
    stream.on("error", () => undefined);
    while (stream.write(Buffer.alloc(64 * 1024)));
    for (let sent = 0; sent < 40; sent += 1) stream.write(Buffer.alloc(64 * 1024));
    const dataCount = () => socket.received.filter(({ type }) => type === "tunnel_data").length;
    await expect.poll(dataCount, { timeout: 10_000 }).toBe(8);
    plane.hub.send(await targetIdOf(identity), { type: "forget", attempts: ["a_after_data"] });
    await socket.next("forget");
    expect(dataCount()).toBe(8);
    const broken = new Promise((resolve) => stream.once("error", resolve));
    socket.ws.terminate();
    expect(await broken).toMatchObject({
      code: "target_offline",
      message: expect.stringContaining("was lost"),
    });
  });

  it("[P12] a piece of a tunnel that is larger than a piece may be ends the session", async () => {
    const socket = await speaking2(await enrolled());
    socket.send({ type: "tunnel_data", tunnel: 0 }, new Uint8Array(64 * 1024 + 1));
    expect((await socket.next("refuse")).message).toContain("tunnel_data");
    expect((await socket.closed).code).toBe(CLOSE.protocolError.code);
  });
});

describe("handshake", () => {
  it("[P6] both ends prove who they are, and the generation is confirmed by the inventory", async () => {
    const identity = await enrolled();
    const socket = await dial();
    const hello = await socket.hello(identity);
    const welcome = await socket.next("welcome");
    const transcript = handshakeTranscript({
      role: "server",
      nodeId: identity.nodeId,
      serverNonce: (await firstOf(socket)).serverNonce,
      agentNonce: hello.agentNonce,
      protocol: 1,
      origin: plane.origin,
      generation: 1,
      helloSha256: sha256(helloDigestText(hello)),
    });
    expect(verifyText(plane.ctx.identity.publicKey, transcript, welcome.signature)).toBe(true);
    expect(await generationsOf(identity)).toEqual([0, 1]);
    socket.ws.terminate();
    await connected(identity);
    // The first offer was never confirmed, and is not made again.
    expect(await generationsOf(identity)).toEqual([2, 2]);
    expect(plane.hub.isConnected(await targetIdOf(identity))).toBe(true);
  });

  it("[P8] a hello that is played again on another connection is refused", async () => {
    const identity = await enrolled();
    const first = await dial();
    const hello = await first.hello(identity);
    await first.next("welcome");
    const second = await dial();
    await second.next("challenge");
    second.send(hello);
    expect(await second.next("refuse")).toMatchObject({ code: "signature_invalid", signature: null });
    expect((await second.closed).code).toBe(CLOSE.unauthenticated.code);
  });

  it("[P8] a signature with another role, nonce, generation, version or key is refused", async () => {
    const identity = await enrolled();
    const stranger = await enrolled();
    const wrong: [TestIdentity, HelloChange][] = [
      [identity, { role: "server" }],
      [identity, { serverNonce: "x".repeat(43) }],
      [identity, { protocol: 2 }],
      [{ ...identity, key: stranger.key }, {}],
    ];
    for (const [who, change] of wrong) {
      const { refusal, closed } = await refusedHello(who, change);
      expect(refusal).toMatchObject({ code: "signature_invalid", signature: null });
      expect(closed.code).toBe(CLOSE.unauthenticated.code);
    }
    expect(await generationsOf(identity)).toEqual([0, 0]);
  });

  it("[P9] a hello for another address is refused with the addresses that are ours", async () => {
    const identity = await enrolled();
    const { refusal } = await refusedHello({ ...identity, origin: "https://relay.example.org" });
    expect(refusal).toMatchObject({ code: "forbidden", message: expect.stringContaining(plane.origin) });
    const piped = await refusedHello(identity, { signedOrigin: "https://relay.example.org" });
    expect(piped.refusal.code).toBe("signature_invalid");
  });

  it("[P10] a node that is not known is refused, but not for good", async () => {
    const { refusal, closed } = await refusedHello({ ...(await enrolled()), nodeId: "t_0000000000" });
    expect(refusal).toMatchObject({ code: "unauthenticated", signature: null });
    expect(closed.code).toBe(CLOSE.unauthenticated.code);
  });

  it("[P5] versions that do not meet are told apart from being offline, with what to update", async () => {
    const identity = await enrolled();
    const range = { protocolMin: 7, protocolMax: 9, protocol: 9 };
    const { refusal, closed } = await refusedHello(identity, range);
    expect(refusal).toMatchObject({ code: "needs_update", message: expect.stringContaining("7 to 9") });
    expect(closed.code).toBe(CLOSE.needsUpdate.code);
    const rows = await plane.ctx.db.select().from(target).where(eq(target.publicId, identity.nodeId));
    expect(rows[0]?.state).toBe("needs_update");
  });

  it("[P23] beyond the limit of handshakes the answer is 503 with the time to come back", async () => {
    const small = await startTestControlPlane({ admission: { perSecond: 0.5, burst: 2 } });
    const dialled = () => new WebSocket(`${small.origin.replace("http", "ws")}/ws/agent`);
    const sockets = [dialled(), dialled()];
    for (const each of sockets) await new Promise((resolve) => each.once("message", resolve));
    const answer = await new Promise<{ status: number; retryAfter: string }>((resolve) => {
      const late = dialled();
      late.on("error", () => undefined);
      late.on("unexpected-response", (request, response) => {
        const { statusCode = 0, headers } = response;
        resolve({ status: statusCode, retryAfter: headers["retry-after"] ?? "" });
        request.destroy();
      });
    });
    for (const each of sockets) each.terminate();
    await small.close();
    expect(answer).toEqual({ status: 503, retryAfter: "2" });
  });
});

describe("copies of a node", () => {
  it("[P19] a node that dies before or after it writes the generation down comes back", async () => {
    const identity = await enrolled();
    for (const diesAfterWriting of [false, true, false, true]) {
      const socket = await dial();
      await socket.hello(identity);
      const { generation } = await socket.next("welcome");
      if (diesAfterWriting) identity.generation = generation;
      socket.ws.terminate();
    }
    await connected(identity);
    expect(await generationsOf(identity)).toEqual([5, 5]);
  });

  it("[P20] an older copy is refused for good, signed, and the holder of the identity hears of it", async () => {
    const identity = await enrolled();
    (await connected(identity)).ws.terminate();
    const copy = { ...identity };
    (await connected(identity)).ws.terminate();
    const holder = await connected(identity);
    const { refusal, closed, hello, serverNonce } = await refusedHello(copy);
    expect(refusal.code).toBe("node_cloned");
    expect(closed.code).toBe(CLOSE.cloned.code);
    const transcript = refusalTranscript({
      nodeId: copy.nodeId,
      serverNonce,
      agentNonce: hello.agentNonce,
      code: "node_cloned",
    });
    expect(verifyText(plane.ctx.identity.publicKey, transcript, refusal.signature ?? "")).toBe(true);
    const notice = await plane.port.seen("notice", ({ node }) => node.targetPublicId === copy.nodeId);
    expect(notice.args[0]).toMatchObject({ level: "error", code: "clone_seen" });
    const audit = await plane.ctx.db.select().from(auditEvent).where(eq(auditEvent.subject, copy.nodeId));
    expect(audit.map((row) => row.action)).toContain("target.clone_refused");
    expect(holder.ws.readyState).toBe(WebSocket.OPEN);
  });

  it("[P21] of two connections that were offered the same generation, one is confirmed", async () => {
    const identity = await enrolled();
    const node = {
      sessionId: "s_1",
      targetId: await targetIdOf(identity),
      targetPublicId: "",
      targetName: "",
      teamId: "",
    };
    const socket = await dial();
    await socket.hello(identity);
    await socket.next("welcome");
    const both = [plane.sessions.confirmGeneration(node, 1), plane.sessions.confirmGeneration(node, 1)];
    expect((await Promise.all(both)).sort()).toEqual([false, true]);
    socket.send({
      type: "inventory",
      generation: 1,
      facts: TEST_FACTS,
      gpus: [],
      attempts: [],
      last: true,
    });
    expect((await socket.closed).code).toBe(CLOSE.replaced.code);
  });

  it("[P22] a second connection is refused while the first answers, and takes over when it does not", async () => {
    const identity = await enrolled();
    const first = await connected(identity);
    const { refusal } = await refusedHello(identity);
    expect(refusal).toMatchObject({ code: "conflict", signature: null, retryAfterMs: 30_000 });
    expect(first.ws.readyState).toBe(WebSocket.OPEN);
    first.ws.terminate();

    const silent = await connected(identity, false);
    const sessionOf = (call: "inventory" | "disconnected", at: number) =>
      plane.port.records
        .filter((one) => one.call === call && one.node.targetPublicId === identity.nodeId)
        .at(at);
    const silentSession = sessionOf("inventory", -1)?.node.sessionId;
    await connected(identity);
    expect((await silent.closed).code).toBe(CLOSE.replaced.code);
    expect(sessionOf("disconnected", -1)?.node.sessionId).toBe(silentSession);
    expect(sessionOf("inventory", -1)?.node.sessionId).not.toBe(silentSession);
  });
});

describe("revocation", () => {
  it("[P24] a revoked node is told so, signed, while connected and at every later hello", async () => {
    const identity = await enrolled();
    const socket = await connected(identity);
    const id = await targetIdOf(identity);
    await plane.ctx.db
      .update(target)
      .set({ revokedAt: new Date(), state: "revoked" })
      .where(eq(target.id, id));
    plane.hub.disconnect(id, "revoked");
    const live = await socket.next("refuse");
    expect(live.code).toBe("node_revoked");
    expect(live.signature).not.toBeNull();
    expect((await socket.closed).code).toBe(CLOSE.revoked.code);
    const { refusal, hello, serverNonce } = await refusedHello(identity);
    const transcript = refusalTranscript({
      nodeId: identity.nodeId,
      serverNonce,
      agentNonce: hello.agentNonce,
      code: "node_revoked",
    });
    expect(verifyText(plane.ctx.identity.publicKey, transcript, refusal.signature ?? "")).toBe(true);
  });

  it("[P24] a node that was revoked in the database alone is cut off at the next heartbeat", async () => {
    const quick = await startTestControlPlane({ heartbeatMs: 30 });
    const { identity } = await enrollTestNode((await quick.token()).secret);
    const socket = await openTestSocket(quick.origin);
    await socket.connect(identity);
    await quick.port.seen("inventory");
    await quick.ctx.db
      .update(target)
      .set({ revokedAt: new Date() })
      .where(eq(target.publicId, identity.nodeId));
    expect((await socket.closed).code).toBe(CLOSE.revoked.code);
    await quick.close();
  });
});

describe("bad peers", () => {
  type Case = { what: string; send: (ws: WebSocket) => void; code: number; reason: RegExp };
  const bad = CLOSE.protocolError.code;
  const cases: Case[] = [
    { what: "a text frame", send: (ws) => ws.send("hello"), code: bad, reason: /text frame/ },
    { what: "no frame", send: (ws) => ws.send(Buffer.from([1])), code: bad, reason: /header length/ },
    {
      what: "a header that is no JSON",
      send: (ws) => ws.send(Buffer.from([0, 0, 0, 2, 0xff, 0xfe])),
      code: bad,
      reason: /JSON in UTF-8/,
    },
    {
      what: "an unknown message",
      send: (ws) => ws.send(encodeFrame({ type: "sudo" })),
      code: bad,
      reason: /sudo/,
    },
    {
      what: "a frame beyond the limit",
      send: (ws) => ws.send(Buffer.alloc(FRAME_BYTES_MAX + 1)),
      code: 1009,
      reason: /payload/i,
    },
  ];
  it.each(cases)(
    "[P12] $what ends this session only, and a person can read why",
    async ({ send, code, reason }) => {
      const [culprit, good] = [await enrolled(), await enrolled()];
      const bystander = await connected(good);
      const socket = await connected(culprit);
      send(socket.ws);
      expect((await socket.closed).code).toBe(code);
      const notice = await plane.port.seen("notice", ({ node }) => node.targetPublicId === culprit.nodeId);
      expect(notice.args[0]).toMatchObject({ code: "bad_frame", message: expect.stringMatching(reason) });
      if (code !== 1009) expect((await socket.next("refuse")).message).toMatch(reason);
      await plane.port.seen("disconnected", ({ node }) => node.targetPublicId === culprit.nodeId);
      expect(bystander.ws.readyState).toBe(WebSocket.OPEN);
    },
  );

  it("[P13] before the handshake the same frames end the socket and reach nobody", async () => {
    const told = () => plane.port.records.filter((one) => one.call !== "disconnected").length;
    const before = told();
    for (const { send, code } of cases) {
      const socket = await dial();
      await socket.next("challenge");
      send(socket.ws);
      expect((await socket.closed).code).toBe(code);
    }
    expect(told()).toBe(before);
  });

  it("[P17] a node that went silent without closing is given up after three heartbeats", async () => {
    const quick = await startTestControlPlane({ heartbeatMs: 25 });
    const { identity } = await enrollTestNode((await quick.token()).secret);
    const talking = await openTestSocket(quick.origin);
    await talking.connect((await enrollTestNode((await quick.token()).secret)).identity);
    const silent = await openTestSocket(quick.origin, false);
    await silent.connect(identity);
    expect((await silent.closed).code).toBe(CLOSE.silent.code);
    await quick.port.seen("disconnected", ({ node }) => node.targetPublicId === identity.nodeId);
    expect(talking.ws.readyState).toBe(WebSocket.OPEN);
    talking.ws.terminate();
    await quick.close();
  });

  it("[P17] a message that takes long to arrive is no silence", async () => {
    const quick = await startTestControlPlane({ heartbeatMs: 25 });
    const slow = await openTestSocket(quick.origin, false);
    await slow.connect((await enrollTestNode((await quick.token()).secret)).identity);
    for (let i = 0; i < 12; i += 1) {
      await slow.next("heartbeat");
      slow.ws.send(Buffer.alloc(10), { binary: true, fin: false });
    }
    expect(slow.ws.readyState).toBe(WebSocket.OPEN);
    slow.ws.terminate();
    await quick.close();
  });

  it("[P25] work that fails ends the session with a retry, since the next inventory brings everything again", async () => {
    const identity = await enrolled();
    const socket = await connected(identity);
    plane.port.before = async (call) => {
      if (call === "exited") throw new Error("the database is away");
    };
    socket.send({ type: "exited", attempts: [] });
    const refusal = await socket.next("refuse");
    expect(refusal).toMatchObject({ code: "unavailable", retryAfterMs: expect.any(Number) });
    expect(refusal.message).not.toContain("database is away");
    expect((await socket.closed).code).toBe(CLOSE.overloaded.code);
  });
});

describe("order and back-pressure", () => {
  it("[P14] an exit does not wait behind log bytes that wait for a disk", async () => {
    const identity = await enrolled();
    const socket = await connected(identity);
    const disk = Promise.withResolvers<void>();
    plane.port.before = async (call) => {
      if (call === "log") await disk.promise;
    };
    const mine = ({ node }: { node: { targetPublicId: string } }) => node.targetPublicId === identity.nodeId;
    socket.send({ type: "log", attempt: "a_1", fence: 1, offset: 0 }, Buffer.from("x"));
    socket.send({ type: "exited", attempts: [] });
    await plane.port.seen("exited", mine);
    expect(plane.port.records.filter(mine).some((one) => one.call === "log")).toBe(false);
    disk.resolve();
    await plane.port.seen("log", mine);
  });

  it("[P15] a slow disk stops the reading of this socket at a few MiB, and nothing is lost", async () => {
    const raw: Socket[] = [];
    plane.server.on("connection", (socket: Socket) => raw.push(socket));
    const identity = await enrolled();
    const socket = await connected(identity);
    const disk = Promise.withResolvers<void>();
    const begun = Promise.withResolvers<void>();
    plane.port.before = async (call) => {
      if (call !== "log") return;
      begun.resolve();
      await disk.promise;
    };
    const chunk = Buffer.alloc(LOG_CHUNK_BYTES_MAX, 120);
    const count = 80;
    for (let i = 0; i < count; i += 1) {
      socket.send({ type: "log", attempt: "a_slow", fence: 1, offset: i * chunk.length }, chunk);
    }
    await begun.promise;
    const bytesRead = () => raw.at(-1)?.bytesRead ?? 0;
    for (let still = 0, last = 0; still < 200; still = bytesRead() === last ? still + 1 : 0) {
      last = bytesRead();
      await turn();
    }
    expect(bytesRead()).toBeLessThan(8 * 1024 * 1024);
    disk.resolve();
    const end = (count - 1) * chunk.length;
    await plane.port.seen("log", ({ args }) => (args[0] as { offset: number }).offset === end);
    expect(plane.port.logs.get("a_slow")?.length).toBe(count * chunk.length);
  });

  it("[B5] a node that takes no answers is not read any more, and given up after three heartbeats", async () => {
    const own = await startTestControlPlane({ heartbeatMs: 300 });
    const { identity } = await enrollTestNode((await own.token()).secret);
    const socket = await openTestSocket(own.origin);
    await socket.connect(identity);
    await own.port.seen("inventory");
    const wide = Array.from({ length: 100 }, (_, i) => ({ attempt: `a_${i}`.padEnd(60, "x"), act: "adopt" }));
    own.port.onExited = () => [{ type: "sync", attempts: wide } as never];
    socket.ws.pause();
    for (let i = 0; i < 8000; i += 1) sendExit(socket, `a_${i}`);
    await own.port.seen("disconnected");
    expect(own.logLines.filter(({ message }) => message === "bad frame")).toEqual([]);
    expect(own.port.records.filter(({ call }) => call === "exited").length).toBeLessThan(6000);
    socket.ws.terminate();
    await own.close();
  });

  it("[P26] at shutdown every node is told when to come back, and the services hear of each end", async () => {
    const own = await startTestControlPlane();
    const { identity } = await enrollTestNode((await own.token()).secret);
    const socket = await openTestSocket(own.origin);
    await socket.connect(identity);
    await own.port.seen("inventory");
    await own.close();
    expect(await socket.next("refuse")).toMatchObject({
      code: "unavailable",
      retryAfterMs: expect.any(Number),
    });
    expect((await socket.closed).code).toBe(CLOSE.shuttingDown.code);
    expect(own.port.records.at(-1)?.call).toBe("disconnected");
  });
});
