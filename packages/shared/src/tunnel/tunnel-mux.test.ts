import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { type AddressInfo, createConnection, createServer, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { buffer, text } from "node:stream/consumers";
import { describe, expect, it, onTestFinished } from "vitest";
import { NexusError } from "../errors.ts";
import { TUNNEL_CHUNK_BYTES_MAX, TUNNEL_WINDOW_BYTES, TUNNELS_MAX } from "../protocol/limits.ts";
import type { TunnelAnswer, TunnelAsk } from "../protocol/messages.ts";
import {
  createTunnelMux,
  type TunnelMessage,
  type TunnelMux,
  type TunnelTo,
  type TunnelWay,
} from "./tunnel-mux.ts";

const TO = { host: "localhost", port: 80 };
const TIMING = { timeoutMs: 10_000, lateText: "It did not answer." };

type Pair = { near: TunnelMux; far: TunnelMux; sent: TunnelMessage[]; hold: { data: boolean } };

/** Two ends joined as by a connection; data waits while `hold.data`. */
function pair(
  connect: (to: TunnelTo, signal: AbortSignal) => Promise<TunnelWay>,
  tunnelsMax = TUNNELS_MAX,
): Pair {
  const sent: TunnelMessage[] = [];
  const hold = { data: false };
  const limitText = () => `${tunnelsMax} tunnels are open.`;
  const near = createTunnelMux<TunnelAsk>({
    send: (message) => pass(far, message),
    wake: () => setImmediate(drain),
    tunnelsMax: 10_000,
    limitText,
  });
  const far: TunnelMux = createTunnelMux<TunnelAnswer>({
    send: (message) => pass(near, message),
    wake: () => setImmediate(drain),
    connect,
    tunnelsMax,
    limitText,
  });
  function pass(to: TunnelMux, message: TunnelMessage): boolean {
    sent.push(message);
    setImmediate(() => to.take(message, new Uint8Array()));
    return true;
  }
  function drain(): void {
    if (hold.data) return;
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      for (let data = from.pull(); data !== null; data = from.pull()) {
        const { message, payload } = data;
        sent.push(message);
        setImmediate(() => to.take(message, payload));
      }
    }
  }
  return { near, far, sent, hold };
}

async function listening(serve: (socket: Socket) => void): Promise<number> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on("error", () => undefined);
    serve(socket);
  }).listen(0, "127.0.0.1");
  onTestFinished(() => void server.close());
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

const dial = (port: number) => async (): Promise<TunnelWay> => {
  const stream = createConnection({ host: "127.0.0.1", port, allowHalfOpen: true });
  await once(stream, "connect");
  return { stream };
};

const opened = async ({ near }: Pair): Promise<Duplex> => (await near.open(TO, TIMING)).stream;

describe("tunnels of one connection", () => {
  it("[P50] bytes go both ways at once, unchanged, and each way ends for itself", async () => {
    const theirs = randomBytes(3_000_000);
    const got = Promise.withResolvers<Buffer>();
    const port = await listening((socket) => {
      // Answers only after the other way has ended.
      void buffer(socket).then((bytes) => {
        got.resolve(bytes);
        socket.end(theirs);
      });
    });
    const joined = pair(dial(port));
    const stream = await opened(joined);
    const ours = randomBytes(3_000_000);
    stream.end(ours);
    expect(Buffer.compare(await got.promise, ours)).toBe(0);
    expect(Buffer.compare(await buffer(stream), theirs)).toBe(0);
    expect([joined.near.size(), joined.far.size()]).toEqual([0, 0]);
    expect(joined.sent.filter(({ type }) => type === "tunnel_reset")).toEqual([]);
  });

  it("[P50] a writer of single bytes is understood, and takes no more of a window than one of large pieces", async () => {
    const port = await listening((socket) => socket.pipe(socket));
    const joined = pair(dial(port));
    const stream = await opened(joined);
    const wanted = randomBytes(5_000);
    const back = buffer(stream);
    for (const byte of wanted) stream.write(Buffer.of(byte));
    stream.end();
    expect(Buffer.compare(await back, wanted)).toBe(0);
  });

  it("[P51] a reader that reads nothing stops its own tunnel at a window, and no other", async () => {
    const port = await listening((socket) => {
      socket.once("data", (asked) => {
        if (String(asked) === "flood") socket.write(Buffer.alloc(30_000_000));
        else socket.end(asked);
      });
    });
    const joined = pair(dial(port));
    const stuck = await opened(joined);
    stuck.write("flood");
    const other = await opened(joined);
    other.end("hello");
    expect(await text(other)).toBe("hello");
    await new Promise<void>((resolve) => stuck.once("readable", resolve));
    const sentBytes = () =>
      joined.sent.filter(({ type, tunnel }) => type === "tunnel_data" && tunnel === 0).length *
      TUNNEL_CHUNK_BYTES_MAX;
    for (let turn = 0; turn < 20; turn += 1) {
      const again = await opened(joined);
      again.end(randomBytes(200_000));
      await buffer(again);
    }
    expect(sentBytes()).toBeLessThanOrEqual(2 * TUNNEL_WINDOW_BYTES);
    let length = 0;
    stuck.on("data", (bytes: Buffer) => {
      length += bytes.length;
      if (length === 30_000_000) stuck.destroy();
    });
    await once(stuck, "close");
    expect(length).toBe(30_000_000);
  });

  it("[P51] who sends more than the window, or gives back more than was sent, loses that tunnel", async () => {
    const port = await listening((socket) => socket.pipe(socket));
    const joined = pair(dial(port));
    const overrun = await opened(joined);
    const other = await opened(joined);
    for (let sent = 0; sent <= TUNNEL_WINDOW_BYTES; sent += TUNNEL_CHUNK_BYTES_MAX)
      joined.near.take({ type: "tunnel_data", tunnel: 0 }, new Uint8Array(TUNNEL_CHUNK_BYTES_MAX));
    const [why] = await once(overrun, "error");
    expect(why).toMatchObject({ code: "protocol_error" });
    const generous = await opened(joined);
    joined.near.take({ type: "tunnel_credit", tunnel: 2, bytes: 5 }, new Uint8Array());
    expect((await once(generous, "error"))[0]).toMatchObject({ code: "protocol_error" });
    other.end("still here");
    expect(await text(other)).toBe("still here");
  });

  it("[P52] what breaks on one side breaks the other, with why, and never looks like an end", async () => {
    const sockets: Socket[] = [];
    const port = await listening((socket) => {
      sockets.push(socket);
      socket.write("half an ans");
    });
    const joined = pair(dial(port));
    const first = await opened(joined);
    await once(first, "data");
    sockets[0]?.resetAndDestroy();
    expect(String((await once(first, "error"))[0])).toMatch(/ECONNRESET/);

    const second = await opened(joined);
    await once(second, "data");
    const cut = once(sockets[1] as Socket, "error");
    second.destroy();
    expect((await cut)[0]).toMatchObject({ code: "ECONNRESET" });

    const third = await opened(joined);
    await once(third, "data");
    const lost = once(third, "error");
    joined.near.breakAll(new NexusError("target_offline", { detail: "gpu1 was lost." }));
    expect((await lost)[0]).toMatchObject({ code: "target_offline", message: "gpu1 was lost." });
    expect(joined.near.size()).toBe(0);
    joined.far.breakAll(new NexusError("unavailable"));
    expect((await once(sockets[2] as Socket, "error"))[0]).toMatchObject({ code: "ECONNRESET" });
  });

  it("[P52] what the other end refuses is refused with its words; late answers are for nobody", async () => {
    const joined = pair(async () => {
      throw new NexusError("forbidden", { detail: "The policy says no." });
    });
    await expect(opened(joined)).rejects.toMatchObject({ code: "forbidden", message: "The policy says no." });
    const silent = pair(() => new Promise(() => undefined));
    await expect(
      silent.near.open(TO, { timeoutMs: 1, lateText: "It did not answer." }),
    ).rejects.toMatchObject({
      code: "unavailable",
      message: "It did not answer.",
    });
    silent.near.take({ type: "tunnel_opened", tunnel: 0 }, new Uint8Array());
    silent.near.take({ type: "tunnel_data", tunnel: 77 }, new Uint8Array(5));
    silent.near.take({ type: "tunnel_end", tunnel: 77 }, new Uint8Array());
    expect(silent.near.size()).toBe(0);
    // The end that opens answers to nobody who wants to open.
    silent.near.take({ type: "tunnel_open", tunnel: 0, host: "localhost", port: 22 }, new Uint8Array());
    expect(silent.sent.at(-1)).toMatchObject({ type: "tunnel_reset", code: "protocol_error" });
  });

  it("[B7] one tunnel more than the limit is refused, and a place is free as soon as one ended", async () => {
    const port = await listening((socket) => socket.pipe(socket));
    const joined = pair(dial(port));
    const streams = await Promise.all(Array.from({ length: TUNNELS_MAX }, () => opened(joined)));
    await expect(opened(joined)).rejects.toMatchObject({
      code: "rate_limited",
      message: `${TUNNELS_MAX} tunnels are open.`,
    });
    streams[0]?.end("x");
    expect(await text(streams[0] as Duplex)).toBe("x");
    const next = await opened(joined);
    for (const stream of [...streams, next]) stream.destroy();
  });
});
