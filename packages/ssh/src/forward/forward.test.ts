import { type AddressInfo, connect, createServer, type Server } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { runRemote } from "../exec/run-remote.ts";
import { connectTo } from "../testing/test-session.ts";
import { startTestSshd, type TestSshd } from "../testing/test-sshd.ts";
import { forwardLocal } from "./forward-local.ts";

let server: TestSshd;
beforeAll(async () => {
  server = await startTestSshd();
});
afterAll(() => server.close());

/** Answers with what it was sent, in capitals, once the other side has said all. */
async function startShouter(where: { port: number; host: string } | { path: string }): Promise<Server> {
  const shouter = createServer({ allowHalfOpen: true }, (socket) => {
    void text(socket).then((said) => socket.end(said.toUpperCase()));
  });
  await new Promise<void>((resolve) => shouter.listen(where, resolve));
  onTestFinished(() => void shouter.close());
  return shouter;
}

const portOf = (shouter: Server) => (shouter.address() as AddressInfo).port;

async function say(port: number, words: string): Promise<string> {
  const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  socket.end(words);
  return text(socket);
}

test("[H35] a local port leads to a port of the machine, for many connections at once", async () => {
  const session = await connectTo(server);
  const to = { host: "127.0.0.1", port: portOf(await startShouter({ port: 0, host: "127.0.0.1" })) };
  const forward = await forwardLocal({ to, forwardOut: session.forwardOut });
  expect(forward.host).toBe("127.0.0.1");
  const answers = await Promise.all(["a", "b", "c"].map((word) => say(forward.port, word.repeat(100_000))));
  expect(answers.map((answer) => [answer[0], answer.length])).toEqual([
    ["A", 100_000],
    ["B", 100_000],
    ["C", 100_000],
  ]);
  await forward.close();
  await expect(say(forward.port, "x")).rejects.toThrow(/ECONNREFUSED/);
});

test("[H35] a local port leads to a socket file of the machine", async () => {
  const session = await connectTo(server);
  const socketPath = join(server.folder, "shout.sock");
  await startShouter({ path: socketPath });
  const forward = await forwardLocal({ to: { socketPath }, forwardOut: session.forwardOut });
  expect(await say(forward.port, "words")).toBe("WORDS");
  await forward.close();
});

test("[H35] what the machine does not reach closes one connection, says why, and leaves the port open", async () => {
  const session = await connectTo(server);
  const refusals: unknown[] = [];
  const forward = await forwardLocal({
    to: { host: "127.0.0.1", port: 1 },
    forwardOut: session.forwardOut,
    onRefused: (error) => refusals.push(error),
  });
  expect(await say(forward.port, "x").catch(() => "")).toBe("");
  expect(await say(forward.port, "x").catch(() => "")).toBe("");
  expect(refusals).toMatchObject([{ failure: "forward_refused" }, { failure: "forward_refused" }]);
  await forward.close();
});

test("[H35] a port of the machine leads here, until it is closed", async () => {
  const session = await connectTo(server);
  const to = { host: "127.0.0.1", port: portOf(await startShouter({ port: 0, host: "127.0.0.1" })) };
  const forward = await session.forwardIn({ bindHost: "127.0.0.1", bindPort: 0, to });
  expect(await say(forward.port, "from there")).toBe("FROM THERE");
  await forward.close();
  await expect(say(forward.port, "x")).rejects.toThrow(/ECONNREFUSED/);
  expect(await runRemote(session, { argv: ["true"] })).toMatchObject({ code: 0 });
});

test("[H35] a server that forbids forwarding says so", async () => {
  const strict = await startTestSshd({ lines: ["AllowTcpForwarding no"] });
  onTestFinished(() => strict.close());
  const session = await connectTo(strict);
  const to = { host: "127.0.0.1", port: 1 };
  await expect(session.forwardIn({ bindHost: "127.0.0.1", bindPort: 0, to })).rejects.toMatchObject({
    failure: "remote_refused",
  });
  await expect(session.forwardOut(to)).rejects.toMatchObject({ failure: "forward_refused" });
});
