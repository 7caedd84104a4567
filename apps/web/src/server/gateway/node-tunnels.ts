/**
 * The tunnels of one node's session. Bounded by the credit of each, and taken as they come: they need no lane, and hold none up. Their
 * data leaves only while little waits in the socket, so that what else is for the node leaves before it.
 */
import type { Duplex } from "node:stream";
import { NexusError } from "@nexus/shared/errors";
import { encodeFrame } from "@nexus/shared/protocol/frame";
import { LOG_CHUNK_BYTES_MAX, PROTOCOL_WITH_TUNNELS, TUNNELS_MAX } from "@nexus/shared/protocol/limits";
import type { TunnelAnswer, TunnelAsk } from "@nexus/shared/protocol/messages";
import { createDataPump } from "@nexus/shared/tunnel/data-pump";
import { createTunnelMux, type TunnelTo } from "@nexus/shared/tunnel/tunnel-mux";
import type { WebSocket } from "ws";

/** A node gives a service 10 s to take a connection, and two addresses to be found at. */
const OPEN_MS = 25_000;

export type NodeTunnels = {
  /** @throws NexusError as the node refused it, or when its agent cannot. */
  open(to: TunnelTo): Promise<Duplex>;
  take(message: TunnelAnswer, payload: Uint8Array): void;
  /** The session is over. */
  breakAll(why: string): void;
};

export type NodeTunnelsOptions = {
  socket: Pick<WebSocket, "readyState" | "OPEN" | "bufferedAmount" | "send">;
  isReady(): boolean;
  /** That was agreed on. */
  protocol(): number;
  targetName(): string;
  /** Leaves before all data. */
  send(message: TunnelAsk): void;
  onError(error: unknown): void;
};

export function createNodeTunnels(options: NodeTunnelsOptions): NodeTunnels {
  const { socket, targetName } = options;
  const isOpen = () => options.isReady() && socket.readyState === socket.OPEN;
  const pump = createDataPump({
    isOpen,
    bufferedBytes: () => socket.bufferedAmount,
    bufferedBytesMax: LOG_CHUNK_BYTES_MAX,
    pull() {
      const data = mux.pull();
      return data === null ? null : encodeFrame(data.message, data.payload);
    },
    write: (frame) => new Promise((resolve) => socket.send(frame, { binary: true }, () => resolve())),
    onError: options.onError,
  });
  const mux = createTunnelMux<TunnelAsk>({
    send(message) {
      if (!isOpen()) return false;
      options.send(message);
      return true;
    },
    wake: () => pump.wake(),
    tunnelsMax: TUNNELS_MAX,
    limitText: () =>
      `${targetName()} carries ${TUNNELS_MAX} tunnels at once already, which is all it takes. Close some, or ask again later.`,
  });

  return {
    async open(to) {
      if (options.protocol() < PROTOCOL_WITH_TUNNELS) {
        throw new NexusError("needs_update", {
          detail: `The agent of ${targetName()} is too old to carry tunnels: it speaks protocol ${options.protocol()}, they need ${PROTOCOL_WITH_TUNNELS}. Update it there: npx nexus-agent@latest install-service`,
        });
      }
      const lateText = `${targetName()} did not answer within ${OPEN_MS / 1000} s.`;
      return (await mux.open(to, { timeoutMs: OPEN_MS, lateText })).stream;
    },
    take: mux.take,
    breakAll(why) {
      if (mux.size() === 0) return;
      const detail = `The connection to ${targetName()} was lost (${why}), and this was cut with it. New connections work once it is back.`;
      mux.breakAll(new NexusError("target_offline", { detail }));
    },
  };
}
