/**
 * The tunnels of one connection, at either end of it: `nexus port-forward`, the control plane towards it, the control plane towards
 * a node, the node. Owns the tunnels, and of each what came and was not read yet. States of one: opening → open → (ended one way)
 * → over. Invariants: no more than a window of a tunnel is held, by the rule of tunnel-flow.ts; its bytes come in order and its end
 * after them; an end that broke says so to the other, with why; a tunnel that is over is forgotten at once. It refuses: more
 * tunnels than its limit, and bytes beyond the window, which break that one tunnel only.
 */
import { Duplex } from "node:stream";
import { isErrorCode, NexusError } from "../errors.ts";
import { TUNNEL_CHUNK_BYTES_MAX } from "../protocol/limits.ts";
import type { TunnelAnswer, TunnelAsk } from "../protocol/messages.ts";
import {
  cameBytes,
  gotCredit,
  NEW_TUNNEL_FLOW,
  nextPiece,
  sentPiece,
  type TunnelFlow,
  tookBytes,
} from "../protocol/tunnel-flow.ts";
import { breakOff, joinStreams } from "./join-streams.ts";

export type TunnelMessage = TunnelAsk | TunnelAnswer;
export type TunnelTo = { host: string; port: number };
/** Where a tunnel leads. `note` is what a person should know of the way it takes. */
export type TunnelWay = { stream: Duplex; note?: string | null };

export type TunnelMuxOptions<M extends TunnelMessage> = {
  /** Sent before all data; false when the connection is gone. */
  send(message: M): boolean;
  /** There is something to pull. */
  wake(): void;
  /** Once in a connection; for what the other end asks to open. Absent where it may not ask. */
  connect?(to: TunnelTo, signal: AbortSignal): Promise<TunnelWay>;
  tunnelsMax: number;
  /** What is said to who wants one more. */
  limitText(): string;
};

export type TunnelData = {
  message: Extract<TunnelMessage, { type: "tunnel_data" | "tunnel_end" }>;
  payload: Uint8Array;
};

export type TunnelMux = {
  /** @throws NexusError as the other end refused it. */
  open(to: TunnelTo, options: { timeoutMs: number; lateText: string }): Promise<TunnelWay>;
  /** What came. */
  take(message: TunnelMessage, payload: Uint8Array): void;
  /** The next data to send, of each tunnel in its turn. */
  pull(): TunnelData | null;
  /** Those that are open or being opened. */
  size(): number;
  /** The connection is gone, for this reason. */
  breakAll(why: NexusError): void;
};

type Tunnel = {
  readonly stream: Duplex;
  flow: TunnelFlow;
  /** One piece of the writer; the stream brings the next when this one has left. */
  waiting: { bytes: Uint8Array; done: () => void } | null;
  /** The writer ended; called when that is told. */
  ending: (() => void) | null;
  readonly unread: Uint8Array[];
  hasGotEnd: boolean;
  hasSentEnd: boolean;
  /** The other end knows that it is over, or cannot be told. */
  isSilent: boolean;
};

type Opening = { resolve(way: TunnelWay): void; reject(why: NexusError): void };

export function isTunnelMessage<M extends { type: string }>(message: M): message is M & TunnelMessage {
  return message.type.startsWith("tunnel_");
}

const NOTHING = new Uint8Array(0);
const MESSAGE_CHARS_MAX = 2_000;

export function createTunnelMux<M extends TunnelMessage>(options: TunnelMuxOptions<M>): TunnelMux {
  const { connect, tunnelsMax } = options;
  /** In the order of their turns. */
  const tunnels = new Map<number, Tunnel>();
  const asked = new Map<number, Opening>();
  const connecting = new Map<number, AbortController>();
  let nextId = 0;

  // Which messages may be sent is the caller's type; the mux sends `open` only from `open` and `opened` only to an `open`.
  const send = (message: TunnelMessage) => options.send(message as M);
  const size = () => tunnels.size + asked.size + connecting.size;

  function newTunnel(id: number): Tunnel {
    const stream = new Duplex({
      allowHalfOpen: true,
      read: () => feed(id),
      write(bytes: Uint8Array, _encoding, done) {
        tunnel.waiting = { bytes, done };
        options.wake();
      },
      final(done) {
        tunnel.ending = done;
        options.wake();
      },
      destroy(error, done) {
        forget(id, tunnel, error);
        done(error);
      },
    });
    // Its own reader hears it again; without one it is no fault of the process.
    stream.on("error", () => undefined);
    const tunnel: Tunnel = {
      stream,
      flow: NEW_TUNNEL_FLOW,
      waiting: null,
      ending: null,
      unread: [],
      hasGotEnd: false,
      hasSentEnd: false,
      isSilent: false,
    };
    tunnels.set(id, tunnel);
    return tunnel;
  }

  /** As much as the reader wants, and no more: the rest keeps the peer's window shut. */
  function feed(id: number): void {
    const tunnel = tunnels.get(id);
    if (tunnel === undefined) return;
    for (let bytes = tunnel.unread.shift(); bytes !== undefined; bytes = tunnel.unread.shift()) {
      const { flow, credit } = tookBytes(tunnel.flow, bytes.length);
      tunnel.flow = flow;
      if (credit > 0 && !tunnel.hasGotEnd) send({ type: "tunnel_credit", tunnel: id, bytes: credit });
      if (!tunnel.stream.push(bytes)) return;
    }
    if (tunnel.hasGotEnd) tunnel.stream.push(null);
  }

  function forget(id: number, tunnel: Tunnel, error: Error | null): void {
    if (tunnels.get(id) === tunnel) tunnels.delete(id);
    tunnel.unread.length = 0;
    const isWhole = tunnel.hasGotEnd && tunnel.hasSentEnd;
    if (!isWhole && !tunnel.isSilent) sendReset(id, error);
  }

  function sendReset(id: number, error: unknown): void {
    const known = error instanceof NexusError ? error : null;
    const message = known?.message ?? (error instanceof Error ? error.message : "The connection was cut.");
    send({
      type: "tunnel_reset",
      tunnel: id,
      code: known?.code ?? "unavailable",
      message: message.slice(0, MESSAGE_CHARS_MAX),
    });
  }

  function accept(id: number, to: TunnelTo): void {
    const isFull = size() >= tunnelsMax;
    if (connect === undefined || isFull) {
      const full = new NexusError("rate_limited", { detail: options.limitText() });
      sendReset(id, isFull ? full : new NexusError("protocol_error"));
      return;
    }
    const stop = new AbortController();
    connecting.set(id, stop);
    connect(to, stop.signal).then(
      (way) => {
        connecting.delete(id);
        if (stop.signal.aborted) {
          breakOff(way.stream, null);
          return;
        }
        const { stream } = newTunnel(id);
        send({ type: "tunnel_opened", tunnel: id, ...(way.note == null ? {} : { note: way.note }) });
        joinStreams(stream, way.stream);
      },
      (error: unknown) => {
        connecting.delete(id);
        if (!stop.signal.aborted) sendReset(id, error);
      },
    );
  }

  function takeData(id: number, payload: Uint8Array): void {
    const tunnel = tunnels.get(id);
    if (tunnel === undefined || tunnel.hasGotEnd) return;
    const flow = payload.length > TUNNEL_CHUNK_BYTES_MAX ? null : cameBytes(tunnel.flow, payload.length);
    if (flow === null) {
      const detail = "More of a tunnel was sent at once than its window holds.";
      tunnel.stream.destroy(new NexusError("protocol_error", { detail }));
      return;
    }
    tunnel.flow = flow;
    const isFirst = tunnel.unread.length === 0;
    tunnel.unread.push(payload);
    // A reader that has room does not ask again.
    if (isFirst && tunnel.stream.readableLength < tunnel.stream.readableHighWaterMark) feed(id);
  }

  function takeReset(id: number, why: NexusError): void {
    const opening = asked.get(id);
    asked.delete(id);
    opening?.reject(why);
    connecting.get(id)?.abort(why);
    const tunnel = tunnels.get(id);
    if (tunnel === undefined) return;
    tunnel.isSilent = true;
    tunnel.stream.destroy(why);
  }

  return {
    size,
    open(to, { timeoutMs, lateText }) {
      if (size() >= tunnelsMax)
        return Promise.reject(new NexusError("rate_limited", { detail: options.limitText() }));
      const id = nextId++;
      const { promise, resolve, reject } = Promise.withResolvers<TunnelWay>();
      const timer = setTimeout(() => {
        asked.delete(id);
        const late = new NexusError("unavailable", { detail: lateText });
        sendReset(id, late);
        reject(late);
      }, timeoutMs);
      asked.set(id, { resolve, reject });
      if (!send({ type: "tunnel_open", tunnel: id, ...to }))
        takeReset(id, new NexusError("target_offline", { detail: "The connection was lost just now." }));
      return promise.finally(() => clearTimeout(timer));
    },
    take(message, payload) {
      const id = message.tunnel;
      switch (message.type) {
        case "tunnel_open":
          if (tunnels.has(id) || connecting.has(id)) sendReset(id, new NexusError("protocol_error"));
          else accept(id, { host: message.host, port: message.port });
          return;
        case "tunnel_opened": {
          const opening = asked.get(id);
          if (opening === undefined) return;
          asked.delete(id);
          opening.resolve({ stream: newTunnel(id).stream, note: message.note ?? null });
          return;
        }
        case "tunnel_data":
          takeData(id, payload);
          return;
        case "tunnel_credit": {
          const tunnel = tunnels.get(id);
          if (tunnel === undefined) return;
          const flow = gotCredit(tunnel.flow, message.bytes);
          if (flow === null) {
            const detail = "More of a tunnel was given back than had been sent.";
            tunnel.stream.destroy(new NexusError("protocol_error", { detail }));
            return;
          }
          tunnel.flow = flow;
          options.wake();
          return;
        }
        case "tunnel_end": {
          const tunnel = tunnels.get(id);
          if (tunnel === undefined || tunnel.hasGotEnd) return;
          tunnel.hasGotEnd = true;
          if (tunnel.unread.length === 0) tunnel.stream.push(null);
          return;
        }
        case "tunnel_reset": {
          const code = isErrorCode(message.code) ? message.code : "unavailable";
          takeReset(id, new NexusError(code, { detail: message.message }));
          return;
        }
      }
    },
    pull() {
      for (const [id, tunnel] of tunnels) {
        const { waiting, ending } = tunnel;
        const length = waiting === null ? 0 : nextPiece(tunnel.flow, waiting.bytes.length);
        if (waiting !== null && length > 0) {
          tunnels.delete(id);
          tunnels.set(id, tunnel);
          tunnel.flow = sentPiece(tunnel.flow, length);
          const payload = waiting.bytes.subarray(0, length);
          tunnel.waiting = null;
          if (length < waiting.bytes.length)
            tunnel.waiting = { ...waiting, bytes: waiting.bytes.subarray(length) };
          else waiting.done();
          return { message: { type: "tunnel_data", tunnel: id }, payload };
        }
        if (waiting === null && ending !== null) {
          tunnel.ending = null;
          tunnel.hasSentEnd = true;
          ending();
          return { message: { type: "tunnel_end", tunnel: id }, payload: NOTHING };
        }
      }
      return null;
    },
    breakAll(why) {
      for (const id of [...asked.keys(), ...connecting.keys(), ...tunnels.keys()]) takeReset(id, why);
    },
  };
}
