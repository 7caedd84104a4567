import { randomInt } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:net";

/**
 * Not of the range from which the system gives ports to outgoing connections: those would take the port of a server that is
 * away for a moment, and who dials it would reach themselves.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(10_000, 30_000);
    const server = createServer();
    try {
      await once(server.listen(port, "127.0.0.1"), "listening");
    } catch {
      // Somebody has it.
      continue;
    }
    server.close();
    await once(server, "close");
    return port;
  }
}
