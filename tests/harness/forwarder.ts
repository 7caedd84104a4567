import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/** One address for several servers, as a load balancer has it: a connection goes to the first port that takes it. */
export type Forwarder = { port: number; close(): Promise<void> };

export async function startForwarder(ports: readonly number[]): Promise<Forwarder> {
  const open = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    keep(socket);
    socket.pause();
    forward(socket, [...ports]);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      server.close();
      for (const socket of open) socket.destroy();
      await once(server, "close");
    },
  };

  function forward(socket: Socket, [port, ...others]: number[]): void {
    if (port === undefined) {
      socket.destroy();
      return;
    }
    const onward = keep(connect({ port, host: "127.0.0.1", allowHalfOpen: true }));
    let isThere = false;
    onward.once("connect", () => {
      isThere = true;
      socket.pipe(onward).pipe(socket);
    });
    onward.once("close", () => {
      if (isThere) socket.destroy();
      else forward(socket, others);
    });
    socket.once("close", () => onward.destroy());
  }

  function keep(socket: Socket): Socket {
    open.add(socket);
    socket.on("error", () => undefined);
    socket.once("close", () => open.delete(socket));
    return socket;
  }
}
