/** In place of the package `ws`, on the simulated network. */
import { kernel, type Program } from "../world/kernel.ts";
import { type End, network, type RawSocket } from "../world/network.ts";

export const WebSocket = Object.assign(
  // It is called with `new`, and gives another object back.
  function WebSocket(_url: string, options: { handshakeTimeout: number }): End {
    kernel().call();
    return network().dial(kernel().current as Program, options.handshakeTimeout);
  },
  { OPEN: 1 },
);

export function WebSocketServer() {
  const clients = new Set<End>();
  return {
    clients,
    handleUpgrade(...[, socket, , then]: [unknown, RawSocket, unknown, (end: End) => void]) {
      const end = socket.accept();
      clients.add(end);
      end.on("close", () => clients.delete(end));
      then(end);
    },
    close: () => undefined,
  };
}
