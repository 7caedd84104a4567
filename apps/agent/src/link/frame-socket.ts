/**
 * One WebSocket to the control plane. Owns: the socket from dial to close. Control messages leave at once; data is pulled
 * only while little waits in the socket, so that control never stands behind more than one chunk of it. A server that takes
 * nothing of what is sent is not read either, so what it can make us hold is bounded.
 * Invariants: `onClosed` is called exactly once, also when the socket never opened; nothing is called after it.
 */
import type { Socket } from "node:net";
import { NexusError } from "@nexus/shared/errors";
import { CLOSE } from "@nexus/shared/protocol/close-codes";
import { encodeFrame } from "@nexus/shared/protocol/frame";
import {
  FRAME_BYTES_MAX,
  LOG_CHUNK_BYTES_MAX,
  SOCKET_BUFFERED_BYTES_MAX,
} from "@nexus/shared/protocol/limits";
import type { AgentMessage, ServerMessage } from "@nexus/shared/protocol/messages";
import { readServerMessage } from "@nexus/shared/protocol/read-message";
import { encodeMessage } from "@nexus/shared/protocol/split-message";
import { createDataPump } from "@nexus/shared/tunnel/data-pump";
import { WebSocket } from "ws";
import type { Problem } from "../core/session.ts";
import { connectionOptions, type ServerAddress } from "./pinned-connection.ts";
import { toProblem } from "./to-problem.ts";

export type DataFrame = {
  message: AgentMessage;
  payload: Uint8Array;
  /** Bytes before the payload, in the memory that it is a view of, that may be overwritten. */
  headroom?: number;
  /** Called when the bytes left our memory or never will, so that its memory may be used again. */
  release?: () => void;
};

export type FrameSocketOptions = {
  address: ServerAddress;
  onOpen(): void;
  onMessage(message: ServerMessage, payload: Uint8Array): void;
  onBadFrame(message: string): void;
  onClosed(end: { problem: Problem; retryAfterMs: number | null }): void;
  /** The next data to send; null when there is none. */
  pullData(): Promise<DataFrame | null>;
};

export type FrameSocket = {
  /** False when it was not sent: the socket is not open, or the message fits no frame. */
  send(message: AgentMessage): boolean;
  /** There may be data to pull. */
  wake(): void;
  /** Bytes that came so far, of messages that are not whole yet too. */
  bytesRead(): number;
  /** Bytes that wait in our own memory. */
  bufferedBytes(): number;
  /** It is not read, until the server took of what waits. */
  isPaused(): boolean;
  close(): void;
  /** Without a goodbye: the peer is silent or unknown. */
  cut(problem: Problem): void;
};

/** A lost SYN is sent again after 1, 3 and 7 s; the next would be at 15 s, and dialling anew is sooner. */
const DIAL_TIMEOUT_MS = 10_000;
/** For the server to answer our close. */
const CLOSE_GRACE_MS = 2_000;

export function openFrameSocket(options: FrameSocketOptions): FrameSocket {
  const { address } = options;
  let isOver = false;
  let problem: Problem | null = null;
  let retryAfterMs: number | null = null;

  const ws = new WebSocket(`${address.origin.replace(/^http/, "ws")}/ws/agent`, {
    ...connectionOptions(address),
    maxPayload: FRAME_BYTES_MAX,
    perMessageDeflate: false,
    // Masks keep pages of a browser from writing what a proxy reads as HTTP. No browser is here and no proxy reads along (TLS, or this
    // machine), and a key of zeros spares both ends a pass over every byte.
    generateMask: (key) => key.fill(0),
    handshakeTimeout: DIAL_TIMEOUT_MS,
    followRedirects: false,
  });

  let carrier: Socket | null = null;
  ws.on("upgrade", ({ socket }) => {
    carrier = socket;
  });
  ws.on("open", () => options.onOpen());
  ws.on("message", (data, isBinary) => {
    if (isOver) return;
    const read = readServerMessage({ data: data as Buffer, isBinary });
    if (read.ok) options.onMessage(read.message, read.payload);
    else options.onBadFrame(read.message);
    readOn();
  });
  ws.on("unexpected-response", (request, response) => {
    const seconds = Number(response.headers["retry-after"]);
    if (Number.isFinite(seconds) && seconds > 0) retryAfterMs = seconds * 1000;
    const status = response.statusCode ?? 0;
    problem = {
      code: status === 503 || status === 429 ? "unavailable" : "protocol_error",
      message:
        status === 503
          ? `The control plane at ${address.origin} takes no more connections just now.`
          : `${address.origin} answered the WebSocket with status ${status}. Does a proxy in front of it pass WebSockets through?`,
    };
    request.destroy();
    response.resume();
    finish();
  });
  ws.on("error", (error) => {
    problem ??= toProblem(error, address.origin);
  });
  ws.on("close", (code, reason) => {
    problem ??= {
      code: "unavailable",
      message: closeText(code, reason.toString(), address.origin),
    };
    finish();
  });

  function finish(): void {
    if (isOver) return;
    isOver = true;
    const unknown: Problem = { code: "unavailable", message: `The connection to ${address.origin} ended.` };
    options.onClosed({ problem: problem ?? unknown, retryAfterMs });
  }

  const pump = createDataPump({
    isOpen: () => !isOver && ws.readyState === WebSocket.OPEN,
    bufferedBytes: () => ws.bufferedAmount,
    bufferedBytesMax: LOG_CHUNK_BYTES_MAX,
    pull: options.pullData,
    write({ message, payload, headroom, release }) {
      const sent = sendFrame(encodeFrame(message, payload, headroom));
      return release === undefined ? sent : sent.then(release);
    },
    onError(error) {
      problem ??= toProblem(error, address.origin);
      ws.terminate();
    },
  });

  /** Resolves when the bytes left our memory, or never will. */
  function sendFrame(frame: Uint8Array): Promise<void> {
    return new Promise((resolve) =>
      ws.send(frame, { binary: true }, () => {
        readOn();
        resolve();
      }),
    );
  }

  function readOn(): void {
    if (isOver || ws.readyState !== WebSocket.OPEN) return;
    if (ws.bufferedAmount > SOCKET_BUFFERED_BYTES_MAX) ws.pause();
    else if (ws.isPaused) ws.resume();
  }

  return {
    send(message) {
      if (isOver || ws.readyState !== WebSocket.OPEN) return false;
      const frames = framesOf(message);
      for (const frame of frames) void sendFrame(frame);
      return frames.length > 0;
    },
    wake: () => pump.wake(),
    bytesRead: () => carrier?.bytesRead ?? 0,
    bufferedBytes: () => ws.bufferedAmount,
    isPaused: () => ws.isPaused,
    close() {
      if (isOver) return;
      // The server's own goodbye has to be read.
      ws.resume();
      ws.close(1000);
      setTimeout(() => ws.terminate(), CLOSE_GRACE_MS).unref();
    },
    cut(given) {
      problem ??= given;
      ws.terminate();
    },
  };
}

/** None when a single item of it is larger than a frame may be: no reason to lose the connection for all others. */
function framesOf(message: AgentMessage): Uint8Array[] {
  try {
    return encodeMessage(message);
  } catch (error) {
    if (error instanceof NexusError) return [];
    throw error;
  }
}

function closeText(code: number, reason: string, origin: string): string {
  const known = Object.values(CLOSE).find((one) => one.code === code);
  if (known !== undefined) return `The control plane at ${origin} closed the connection: ${known.reason}.`;
  const said = reason === "" ? `code ${code}` : `${reason} (${code})`;
  return `The connection to ${origin} ended: ${said}.`;
}
