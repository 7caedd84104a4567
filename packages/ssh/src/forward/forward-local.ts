import { type AddressInfo, createServer, type Server } from "node:net";
import { type Duplex, pipeline } from "node:stream";
import type { ForwardTarget } from "../session.ts";

/**
 * A port here that leads to an address on the machine. Listens on loopback unless told otherwise: what is behind it
 * takes whoever reaches the port.
 */
export type LocalForward = { host: string; port: number; close(): Promise<void> };

export type LocalForwardOptions = {
  bindHost?: string;
  /** 0 lets the system choose. */
  bindPort?: number;
  to: ForwardTarget;
  /** Opens one connection on the machine: a session's or a pool's `forwardOut`. */
  forwardOut: (to: ForwardTarget) => Promise<Duplex>;
  /** Told of a connection that could not be carried; the port stays open. */
  onRefused?: (error: unknown) => void;
};

export async function forwardLocal(options: LocalForwardOptions): Promise<LocalForward> {
  const { to, forwardOut, onRefused } = options;
  const streams = new Set<Duplex>();
  // A client that says all it has to say at once and shuts its side still gets its answer.
  const server: Server = createServer(
    { allowHalfOpen: true, noDelay: true, pauseOnConnect: true },
    (socket) => {
      streams.add(socket);
      socket.once("close", () => streams.delete(socket));
      socket.on("error", () => socket.destroy());
      forwardOut(to).then(
        (remote) => {
          if (socket.destroyed) {
            remote.destroy();
            return;
          }
          streams.add(remote);
          remote.once("close", () => streams.delete(remote));
          pipeline(socket, remote, () => undefined);
          pipeline(remote, socket, () => undefined);
          socket.resume();
        },
        (error: unknown) => {
          socket.destroy();
          onRefused?.(error);
        },
      );
    },
  );
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.bindPort ?? 0, options.bindHost ?? "127.0.0.1", resolve);
  });
  const { address, port } = server.address() as AddressInfo;
  return {
    host: address,
    port,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const stream of streams) stream.destroy();
      await closed;
    },
  };
}
