import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { text } from "node:stream/consumers";
import { expect, onTestFinished, test } from "vitest";
import { createPool, type PoolOptions } from "./pool.ts";
import { newTestKey } from "./testing/test-keys.ts";
import { startTestSshd, type TestSshdOptions } from "./testing/test-sshd.ts";
import { targetOf, testConnector } from "./testing/test-target.ts";

async function setup(options: Partial<PoolOptions> = {}, sshd: TestSshdOptions = {}) {
  const server = await startTestSshd(sshd);
  const { connector, clock } = testConnector();
  const pool = createPool({ connector, nowMs: () => clock.nowMs, ...options });
  onTestFinished(async () => {
    await pool.close();
    await server.close();
  });
  return { server, pool, clock, target: await targetOf(server) };
}

const cat = { argv: ["cat"] };
const ended = async (child: {
  stdin: { end(): void };
  stdout: NodeJS.ReadableStream;
  exited: Promise<unknown>;
}) => {
  child.stdin.end();
  await text(child.stdout);
  await child.exited;
};

test("[H30] callers share one connection, also when all come before it is open", async () => {
  const { server, pool, target } = await setup();
  const children = await Promise.all(Array.from({ length: 8 }, () => pool.exec(target, cat)));
  expect(server.connectionCount()).toBe(1);
  expect(pool.stats()).toMatchObject({ connections: 1, channels: 8, opened: 1 });
  await Promise.all(children.map(ended));
  await ended(await pool.exec(target, cat));
  expect(pool.stats()).toMatchObject({ channels: 0, opened: 1, reused: 1 });
});

test("[H30] beyond the channel limit a second connection is opened, beyond that callers wait in line", async () => {
  const { server, pool, target } = await setup({ channelsMax: 2, connectionsPerTargetMax: 2, waitersMax: 4 });
  const children = await Promise.all(Array.from({ length: 4 }, () => pool.exec(target, cat)));
  expect(server.connectionCount()).toBe(2);
  const more = Array.from({ length: 4 }, () => pool.exec(target, cat));
  await expect(pool.exec(target, cat)).rejects.toThrow(/4 others wait/);
  expect(pool.stats()).toMatchObject({ connections: 2, channels: 4, waiting: 4 });
  await Promise.all(children.map(ended));
  await Promise.all((await Promise.all(more)).map(ended));
  expect(server.connectionCount()).toBe(2);
});

test("[H30] a server that allows two sessions a connection is learnt from its refusal", async () => {
  const { server, pool, target } = await setup({}, { lines: ["MaxSessions 2"] });
  const children = await Promise.all(Array.from({ length: 6 }, () => pool.exec(target, cat)));
  expect(children).toHaveLength(6);
  expect(server.connectionCount()).toBe(3);
  await Promise.all(children.map(ended));
  for (let round = 0; round < 5; round += 1) await ended(await pool.exec(target, cat));
  expect(pool.stats().targets.every((line) => line.channelsMax >= 1)).toBe(true);
});

test("[H30] a share of the pool finds room where a server allows one session a connection, and ends without the others", async () => {
  const { server, pool, target } = await setup({}, { lines: ["MaxSessions 1"] });
  const runner = pool.runner(target);
  const mine = await Promise.all([1, 2, 3].map(() => runner.exec(cat)));
  const other = await pool.exec(target, cat);
  expect(server.connectionCount()).toBe(4);
  expect(runner.transport()).toMatch(/^direct 127/);
  const waiting = runner.exec(cat);
  runner.close();
  await expect(waiting).rejects.toMatchObject({ failure: "cancelled" });
  await expect(runner.exec(cat)).rejects.toThrow();
  expect(runner.isOpen()).toBe(false);
  await Promise.allSettled(mine.map(({ exited }) => exited));
  expect(pool.stats()).toMatchObject({ channels: 1, waiting: 0 });
  await ended(other);
});

test("[H30] a port that nothing listens on is asked for once, and says nothing of the server's limit", async () => {
  const { pool, target } = await setup();
  const busy = await pool.exec(target, cat);
  await expect(pool.forwardOut(target, { host: "127.0.0.1", port: 1 })).rejects.toMatchObject({
    failure: "forward_refused",
    message: expect.stringContaining("Nothing listens on 127.0.0.1:1 there"),
  });
  expect(pool.stats()).toMatchObject({ opened: 1, targets: [{ channels: 1, channelsMax: 8 }] });
  await ended(busy);
});

test("[H30] a hundred machines are held by a connection each, over keepalives and without a new one", async () => {
  const machines = 100;
  const { server, pool, target } = await setup({ connectionsMax: machines });
  const way = await startCountingWay(server.port);
  const targets = Array.from({ length: machines }, (_, at) => ({
    ...target,
    id: `machine ${at}`,
    transports: [{ kind: "direct", host: "127.0.0.1", port: way.port } as const],
    // A busy machine may be silent for a while without being gone.
    ...{ keepaliveMs: 1_000, connectTimeoutMs: 60_000 },
  }));
  const useEach = () => Promise.all(targets.map(async (one) => ended(await pool.exec(one, cat))));
  await useEach();
  expect(pool.stats()).toMatchObject({ connections: machines, opened: machines, channels: 0 });
  way.countAnew();
  // Nothing but keepalives is sent now: two of each.
  await expect.poll(() => way.counts().filter((count) => count >= 2).length).toBe(machines);
  await useEach();
  expect(pool.stats()).toMatchObject({ connections: machines, opened: machines, reused: machines });
  expect(server.connectionCount()).toBe(machines);
  await pool.close();
  await expect.poll(() => server.openCount()).toBe(0);
});

/** A way to the server on which what each connection sends is counted. */
async function startCountingWay(to: number) {
  const sent = new Map<Socket, number>();
  const server = createServer((socket) => {
    sent.set(socket, 0);
    socket.on("data", () => sent.set(socket, (sent.get(socket) ?? 0) + 1));
    const onward = connect(to, "127.0.0.1");
    for (const end of [socket, onward]) end.on("error", () => undefined);
    socket.pipe(onward).pipe(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  return {
    port: (server.address() as AddressInfo).port,
    counts: () => [...sent.values()],
    countAnew: () => sent.forEach((_, socket) => void sent.set(socket, 0)),
  };
}

test("[H31] refresh lets what runs go on, and gives the next caller a new connection", async () => {
  const { server, pool, target } = await setup();
  const running = await pool.exec(target, cat);
  pool.refresh(target.id);
  expect(pool.stats()).toMatchObject({ draining: 1 });
  const next = await pool.exec(target, cat);
  expect(server.connectionCount()).toBe(2);
  running.stdin.write("still ");
  running.stdin.end("here\n");
  expect(await text(running.stdout)).toBe("still here\n");
  await running.exited;
  await expect.poll(() => pool.stats().connections).toBe(1);
  await ended(next);
});

test("[H31] an idle connection is closed, a busy one is not", async () => {
  const { pool, target, clock } = await setup({ idleMs: 40 });
  const busy = await pool.exec(target, cat);
  clock.nowMs += 1000;
  await new Promise((resolve) => setImmediate(resolve));
  expect(pool.stats().connections).toBe(1);
  await ended(busy);
  clock.nowMs += 1000;
  await expect.poll(() => pool.stats().connections).toBe(0);
});

test("[H31] a connection that is cut is replaced for the next caller, and its programs are lost, not repeated", async () => {
  const { server, pool, target } = await setup();
  const child = await pool.exec(target, cat);
  server.cutAll();
  await expect(child.exited).rejects.toMatchObject({ failure: "connection_lost" });
  await ended(await pool.exec(target, cat));
  expect(server.connectionCount()).toBe(2);
});

test("[H31] everybody who waits hears why no connection came about", async () => {
  const { server, pool, target } = await setup();
  const stranger = { ...target, credentials: { keys: [{ label: "x", text: newTestKey().privateKey }] } };
  const outcomes = await Promise.allSettled([1, 2, 3].map(() => pool.exec(stranger, cat)));
  expect(outcomes).toMatchObject([1, 2, 3].map(() => ({ reason: { failure: "auth_failed" } })));
  expect(server.connectionCount()).toBe(1);
  expect(pool.stats()).toMatchObject({ connections: 0, waiting: 0 });
  await ended(await pool.exec(target, cat));
});

test("[H31] a caller that gives up leaves the line; closing the pool ends all", async () => {
  const { pool, target } = await setup({ channelsMax: 1, connectionsPerTargetMax: 1 });
  const child = await pool.exec(target, cat);
  const giveUp = new AbortController();
  const waiting = pool.exec(target, cat, giveUp.signal);
  giveUp.abort();
  await expect(waiting).rejects.toMatchObject({ failure: "cancelled" });
  const second = pool.exec(target, cat);
  second.catch(() => undefined);
  await pool.close();
  await expect(child.exited).rejects.toMatchObject({ failure: "connection_lost" });
  await expect(second).rejects.toMatchObject({ failure: "cancelled" });
  await expect(pool.exec(target, cat)).rejects.toMatchObject({ failure: "cancelled" });
});

test("[H30] the number of connections in all is bounded", async () => {
  const { pool, target } = await setup({ connectionsMax: 1 });
  const other = await setup();
  const child = await pool.exec(target, cat);
  await expect(pool.exec(other.target, cat)).rejects.toThrow(/All 1 connections are in use/);
  await ended(child);
});

test("[H36] the pool shares a connection of the system's ssh too", async () => {
  const { server, pool, target } = await setup();
  const system = { ...target, engine: "openssh" as const };
  await Promise.all([1, 2, 3].map(async () => ended(await pool.exec(system, cat))));
  expect(server.connectionCount()).toBe(1);
});
