import { appendFileSync, writeFileSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { expect, onTestFinished, test, vi } from "vitest";
import { startBudget } from "../connect-budget.ts";
import { runRemote } from "../exec/run-remote.ts";
import { memoryHostKeys, replaceHostKey } from "../host-keys/host-key-store.ts";
import { createHostKeyVerifier } from "../host-keys/host-key-verifier.ts";
import { hostKeyName } from "../host-keys/known-hosts.ts";
import { newTestKey } from "../testing/test-keys.ts";
import { connectTo, trusting, withKey } from "../testing/test-session.ts";
import { startTestSshd, type TestSshdOptions } from "../testing/test-sshd.ts";
import { openTcp } from "../transports/open-tcp.ts";
import { connectSsh2 } from "./connect-ssh2.ts";

async function sshd(options: TestSshdOptions = {}) {
  const server = await startTestSshd(options);
  onTestFinished(() => server.close());
  return server;
}

/** A TCP server that is no SSH server. */
async function listen(onSocket: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    onSocket(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}

/** The clock of budgets goes on only where the test says so. */
function standClock(): void {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
  onTestFinished(() => void vi.useRealTimers());
}

test("[H1] without a verifier no connection is made", async () => {
  const server = await sshd();
  const budget = startBudget(5000);
  onTestFinished(() => budget.end());
  const carrier = await openTcp(server.host, server.port, budget.signal);
  onTestFinished(() => void carrier.stream.destroy());
  const options = { user: server.user, credentials: withKey(server), budget };
  // @ts-expect-error a verifier is required
  await expect(connectSsh2(carrier, options)).rejects.toThrow(/createHostKeyVerifier/);
  expect(server.log()).not.toMatch(/Accepted/);
});

test("[H4] a changed host key is refused before any credential is shown, until it is replaced", async () => {
  const server = await sshd();
  const store = memoryHostKeys();
  const old = newTestKey().publicKey;
  const verifier = await trusting({ ...server, hostKey: old }, store);
  await expect(connectTo(server, { verifier })).rejects.toMatchObject({ failure: "host_key_changed" });
  expect(server.log()).not.toMatch(/Accepted|Failed|preauth.*user/);
  const name = hostKeyName(server.host, server.port);
  await replaceHostKey(store, { name, old, new: server.hostKey, by: "bob", reason: "set up anew" });
  const session = await connectTo(server, { verifier });
  expect(session.facts.hostKey).toEqual(server.hostKey);
});

test("[H3] the question about an unknown host is asked outside of the connect budget", async () => {
  const server = await sshd();
  const totalMs = 1400;
  standClock();
  const verifier = createHostKeyVerifier({
    name: hostKeyName(server.host, server.port),
    store: memoryHostKeys(),
    by: "alice",
    // A person who thinks longer than the whole budget.
    confirm: async () => {
      vi.advanceTimersByTime(2 * totalMs);
      return true;
    },
  });
  const session = await connectTo(server, { verifier, totalMs });
  expect(session.isOpen()).toBe(true);
});

test("[H5] a new key that the server announces is known at the next connection", async () => {
  const store = memoryHostKeys();
  const next = newTestKey("next");
  const server = await sshd();
  writeFileSync(`${server.folder}/next_key`, next.privateKey, { mode: 0o600 });
  appendFileSync(`${server.folder}/sshd_config`, `HostKey ${server.folder}/next_key\n`);
  const verifier = await trusting(server, store);
  const rotated = new Promise<void>((resolve) => {
    const write = store.write;
    store.write = async (change) => {
      await write(change);
      if (change.kind === "rotate") resolve();
    };
  });
  await connectTo(server, { verifier });
  await rotated;
  await verifier.verify(next.publicKey);
});

test("[H7] a Nagle-free stream and a modern cipher carry the session", async () => {
  const server = await sshd();
  const session = await connectTo(server);
  expect(session.facts.cipher).toBe("aes128-gcm@openssh.com");
  expect(session.facts.keyExchange).toMatch(/^curve25519-sha256/);
});

test("[H7] a session goes on while its keys are renewed, and its host key is asked of no store again", async () => {
  const server = await sshd({ lines: ["RekeyLimit 1M"] });
  const store = memoryHostKeys();
  const session = await connectTo(server, { verifier: await trusting(server, store) });
  store.read = async () => {
    throw new Error("the store is away");
  };
  const stdin = Buffer.alloc(6_000_000, "renewed");
  const { stdout } = await runRemote(session, { argv: ["cat"] }, { stdin });
  expect(stdout.equals(stdin)).toBe(true);
});

test("[H7] weak algorithms are refused, with what to do, until they are allowed for the host", async () => {
  const server = await sshd({
    lines: ["KexAlgorithms diffie-hellman-group14-sha1", "Ciphers aes256-cbc", "MACs hmac-sha1"],
  });
  const verifier = await trusting(server);
  await expect(connectTo(server, { verifier })).rejects.toMatchObject({
    failure: "algorithms_refused",
    message: expect.stringMatching(/legacy/),
  });
  const session = await connectTo(server, { verifier, legacy: true });
  expect(session.facts.cipher).toBe("aes256-cbc");
});

test("[H7] a server with post-quantum key exchange only is told apart, with the engine that can", async () => {
  const server = await sshd({ lines: ["KexAlgorithms sntrup761x25519-sha512@openssh.com"] });
  await expect(connectTo(server)).rejects.toThrow(/engine openssh/);
});

test("[H9] a server that hangs after TCP accept costs the budget and no more", async () => {
  const { promise: greeted, resolve } = Promise.withResolvers<void>();
  const port = await listen((socket) => void socket.once("data", () => resolve()));
  const server = await sshd();
  standClock();
  const connecting = connectTo({ ...server, port }, { totalMs: 300 });
  connecting.catch(() => undefined);
  await greeted;
  vi.advanceTimersByTime(300);
  await expect(connecting).rejects.toMatchObject({
    failure: "timed_out",
    message: expect.stringMatching(/greeting/),
  });
});

test("[H9] a server that hangs in the middle of the handshake costs the budget and no more", async () => {
  const port = await listen((socket) => socket.write("SSH-2.0-Silent\r\n"));
  await expect(connectTo({ ...(await sshd()), port }, { totalMs: 300 })).rejects.toMatchObject({
    failure: "timed_out",
  });
});

test("[H9] what is no SSH server, or nothing at all, is unreachable and says why", async () => {
  const server = await sshd();
  const web = await listen((socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"));
  await expect(connectTo({ ...server, port: web })).rejects.toMatchObject({ failure: "unreachable" });
  const closing = await listen((socket) => socket.destroy());
  await expect(connectTo({ ...server, port: closing })).rejects.toMatchObject({ failure: "unreachable" });
  await expect(connectTo({ ...server, port: 1 })).rejects.toThrow(/nothing listens there/);
});

test("[H9] a caller that gives up ends the attempt at once", async () => {
  const port = await listen(() => undefined);
  const giveUp = new AbortController();
  const budget = startBudget(60_000, giveUp.signal);
  onTestFinished(() => budget.end());
  const carrier = await openTcp("127.0.0.1", port, budget.signal);
  const server = await sshd();
  const verifier = await trusting(server);
  const connecting = connectSsh2(carrier, { user: "x", credentials: {}, verifier, budget });
  giveUp.abort();
  await expect(connecting).rejects.toMatchObject({ failure: "cancelled" });
  expect(carrier.stream.destroyed).toBe(true);
});

test("[H10] a peer that falls silent is noticed by keepalives, and every channel ends with it", async () => {
  const server = await sshd();
  let isMuted = false;
  const pipe = await listen((socket) => {
    const upstream = connect(server.port, "127.0.0.1");
    onTestFinished(() => void upstream.destroy());
    upstream.on("data", (bytes) => {
      if (!isMuted) socket.write(bytes);
    });
    socket.on("data", (bytes) => upstream.write(bytes));
    socket.on("error", () => undefined);
    upstream.on("error", () => undefined);
  });
  const verifier = await trusting({ ...server, port: pipe });
  // Its clock goes on only once the peer is silent: a busy one is slow to answer.
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
  onTestFinished(() => void vi.useRealTimers());
  const session = await connectTo({ ...server, port: pipe }, { verifier, keepaliveMs: 40 });
  const child = await session.exec({ argv: ["sleep", "60"] });
  isMuted = true;
  vi.advanceTimersByTime(40 * 10);
  await expect(child.exited).rejects.toMatchObject({ failure: "connection_lost" });
  expect(await session.ended).toMatchObject({ message: expect.stringMatching(/Keepalive/) });
  await expect(session.exec({ argv: ["true"] })).rejects.toMatchObject({ failure: "connection_lost" });
});

test("[H10] closing a session ends it, also when the server no longer answers", async () => {
  const server = await sshd();
  const session = await connectTo(server);
  expect((await runRemote(session, { argv: ["echo", "hi"] })).stdout.toString()).toBe("hi\n");
  await session.close();
  expect(await session.ended).toBeUndefined();
  expect(session.isOpen()).toBe(false);
});
