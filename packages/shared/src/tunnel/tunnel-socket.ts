/**
 * Tunnels over a WebSocket between `nexus port-forward` and the control plane, the same at both ends. Owns the pump, the pings and
 * the tunnels, from open to close. Invariants: a peer that answers no ping, or takes nothing, is given up; what ends the socket ends
 * each tunnel with a sentence. Frames are those of the agents' link.
 */
import { NexusError } from "../errors.ts";
import { CLOSE } from "../protocol/close-codes.ts";
import { encodeFrame } from "../protocol/frame.ts";
import { SOCKET_BUFFERED_BYTES_MAX, TUNNEL_CHUNK_BYTES_MAX } from "../protocol/limits.ts";
import type { RawMessage, ReadMessage } from "../protocol/read-message.ts";
import { createDataPump } from "./data-pump.ts";
import { createTunnelMux, type TunnelMessage, type TunnelMux, type TunnelMuxOptions } from "./tunnel-mux.ts";

/** What is needed of a `ws` socket, which belongs to one folder of each app. */
export type WebSocketLike = {
  readonly readyState: number;
  readonly bufferedAmount: number;
  on(event: "message", listener: (data: unknown, isBinary: boolean) => void): unknown;
  on(event: "close", listener: (code: number, reason: Uint8Array) => void): unknown;
  on(event: "error", listener: (error: Error) => void): unknown;
  on(event: "pong", listener: () => void): unknown;
  send(data: Uint8Array, options: { binary: true }, sent: () => void): void;
  ping(): void;
  close(code: number, reason: string): void;
  terminate(): void;
};

export type TunnelSocketOptions<M extends TunnelMessage> = Pick<
  TunnelMuxOptions<M>,
  "connect" | "tunnelsMax" | "limitText"
> & {
  read(raw: RawMessage): ReadMessage<TunnelMessage>;
  /** What its tunnels end with. */
  endText(code: number, reason: string): string;
  pingMs?: number;
};

const OPEN = 1;
const PING_MS = 10_000;

/** @param socket that is open */
export function carryTunnels<M extends TunnelMessage>(
  socket: WebSocketLike,
  options: TunnelSocketOptions<M>,
): TunnelMux {
  const isOpen = () => socket.readyState === OPEN;
  let isHeard = true;
  let lastWords: string | null = null;
  const write = (frame: Uint8Array) =>
    new Promise<void>((resolve) => socket.send(frame, { binary: true }, resolve));
  const giveUp = (why: string) => {
    lastWords ??= why;
    socket.terminate();
  };
  const pump = createDataPump({
    isOpen,
    bufferedBytes: () => socket.bufferedAmount,
    bufferedBytesMax: 4 * TUNNEL_CHUNK_BYTES_MAX,
    pull() {
      const data = mux.pull();
      return data === null ? null : encodeFrame(data.message, data.payload);
    },
    write,
    onError: (error) => giveUp(`It broke: ${String(error)}.`),
  });
  const mux = createTunnelMux<M>({
    ...options,
    send(message) {
      if (!isOpen()) return false;
      void write(encodeFrame(message));
      if (socket.bufferedAmount > SOCKET_BUFFERED_BYTES_MAX) giveUp("The other end takes nothing any more.");
      return true;
    },
    wake: () => pump.wake(),
  });
  const timer = setInterval(() => {
    if (!isHeard) return giveUp("The other end went silent.");
    isHeard = false;
    socket.ping();
  }, options.pingMs ?? PING_MS);

  socket.on("pong", () => {
    isHeard = true;
  });
  socket.on("message", (data, isBinary) => {
    isHeard = true;
    // `ws` hands out what comes until the other end has answered the close, or half a minute long.
    if (!isOpen()) return;
    const read = options.read({ data: data as Uint8Array, isBinary });
    if (read.ok && (read.message.type === "tunnel_data" || read.payload.length === 0)) {
      mux.take(read.message, read.payload);
      return;
    }
    lastWords ??= read.ok ? `A "${read.message.type}" message came with bytes.` : read.message;
    socket.close(CLOSE.protocolError.code, CLOSE.protocolError.reason);
  });
  socket.on("error", (error) => {
    lastWords ??= `${error.message}.`;
  });
  socket.on("close", (code, reason) => {
    clearInterval(timer);
    const detail = lastWords ?? options.endText(code, Buffer.from(reason).toString());
    mux.breakAll(new NexusError("unavailable", { detail }));
  });
  return mux;
}
