import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { encodeFrame } from "@nexus/shared/protocol/frame";
import { SOCKET_BUFFERED_BYTES_MAX } from "@nexus/shared/protocol/limits";
import type { AgentMessage } from "@nexus/shared/protocol/messages";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type WebSocket, WebSocketServer } from "ws";
import { eventually } from "../exec/testing/eventually.ts";
import { openFrameSocket } from "./frame-socket.ts";

const MIB = 1024 * 1024;

let server: Server;
let sockets: WebSocketServer;
beforeEach(async () => {
  server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  sockets = new WebSocketServer({ server, maxPayload: 2 * MIB });
});
afterEach(() => {
  for (const ws of sockets.clients) ws.terminate();
  server.closeAllConnections();
  server.close();
});

describe("socket to the control plane", () => {
  it("[B17] a control plane that asks and takes no answers is not read any more at 4 MiB of them, until it takes them", async () => {
    const orders = 200;
    const answer: AgentMessage = {
      type: "exited",
      attempts: Array.from({ length: 120 }, (_, index) => ({
        ...{ attempt: `a_${index}`, fence: 1, exitCode: 0, signal: null, reason: "exited", logBytes: 0 },
        ...{ message: "m".repeat(4_000), ranMs: 1, endedAgoMs: 0, leftovers: [] },
      })),
    };
    let heard = 0;
    let mostBytes = 0;
    const connected = once(sockets, "connection");
    const socket = openFrameSocket({
      address: { origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, spkiPin: null },
      onOpen: () => undefined,
      onMessage() {
        heard += 1;
        socket.send(answer);
        mostBytes = Math.max(mostBytes, socket.bufferedBytes());
      },
      onBadFrame: (message) => expect.fail(message),
      onClosed: () => undefined,
      pullData: async () => null,
    });
    const [ws] = (await connected) as [WebSocket];
    let taken = 0;
    const all = new Promise<void>((resolve) => {
      ws.on("message", () => {
        taken += 1;
        if (taken === orders) resolve();
      });
    });
    ws.pause();
    // Each is a chunk of its own, as what came already is worked off.
    const order = encodeFrame({ type: "heartbeat", seq: 1 }, Buffer.alloc(128 * 1024));
    for (let left = orders; left > 0; left -= 1) ws.send(order);
    await eventually("the end of the reading", () => socket.isPaused() || heard === orders);
    expect(heard).toBeLessThan(orders);
    ws.resume();
    await all;
    expect(mostBytes).toBeLessThan(SOCKET_BUFFERED_BYTES_MAX + 2 * MIB);
    socket.close();
    await once(ws, "close");
  });
});
