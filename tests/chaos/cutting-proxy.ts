/**
 * The network between nodes and control plane: a TCP proxy that can fail for one node, one way or both.
 *
 * Owns: its connections. A way is open or held. What is held is neither delivered nor dropped: bytes, ends and resets wait
 * for the way to open, as TCP's own retransmission would have it, and neither end hears anything. A new connection is
 * taken while its way is held, as by a network that lost the answer. A way may be slow (a delay and a rate) or lossy
 * (pauses as of a retransmission, now and then a reset).
 */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { pause } from "./pause.ts";
import type { SeededRandom } from "./seeded-random.ts";

export type Way = {
  isHeld: boolean;
  delayMs: number;
  bytesPerSecond: number;
  /** Of a chunk: to wait as for a retransmission; to reset the connection. */
  stallChance: number;
  resetChance: number;
};
export type Link = { toServer: Way; toNode: Way };

const OPEN: Way = {
  isHeld: false,
  delayMs: 0,
  bytesPerSecond: Number.POSITIVE_INFINITY,
  stallChance: 0,
  resetChance: 0,
};
const STALL_MS_MAX = 1_500;

export class CuttingProxy {
  readonly #server: Server;
  readonly #links = new Map<string, Link>();
  readonly #opened = new Map<Way, Set<() => void>>();
  readonly #sockets = new Set<Socket>();
  readonly #atFiles: Server[] = [];
  readonly #random: SeededRandom;
  port = 0;

  private readonly options: {
    serverPort: number;
    whose(port: number): string | null;
    random: SeededRandom;
  };

  /** @param whose names the node that a connection from this port belongs to. */
  private constructor(options: {
    serverPort: number;
    whose(port: number): string | null;
    random: SeededRandom;
  }) {
    this.options = options;
    this.#random = options.random;
    this.#server = createServer({ allowHalfOpen: true }, (socket) => void this.#carry(socket));
  }

  static async open(options: {
    serverPort: number;
    whose(port: number): string | null;
    random: SeededRandom;
  }): Promise<CuttingProxy> {
    const proxy = new CuttingProxy(options);
    proxy.#server.listen(0, "127.0.0.1");
    await once(proxy.#server, "listening");
    proxy.port = (proxy.#server.address() as AddressInfo).port;
    return proxy;
  }

  /** Takes connections at a socket file as well; they have no condition of their own. */
  async listenAt(path: string): Promise<void> {
    const server = createServer({ allowHalfOpen: true }, (socket) => void this.#carry(socket)).listen(path);
    this.#atFiles.push(server);
    await once(server, "listening");
  }

  link(node: string): Link {
    let link = this.#links.get(node);
    if (!link) {
      link = { toServer: { ...OPEN }, toNode: { ...OPEN } };
      this.#links.set(node, link);
    }
    return link;
  }

  set(node: string, change: { toServer?: Partial<Way>; toNode?: Partial<Way> }): void {
    const link = this.link(node);
    Object.assign(link.toServer, change.toServer);
    Object.assign(link.toNode, change.toNode);
    for (const way of [link.toServer, link.toNode]) {
      if (way.isHeld) continue;
      for (const go of this.#opened.get(way) ?? []) go();
      this.#opened.delete(way);
    }
  }

  heal(node: string): void {
    this.set(node, { toServer: OPEN, toNode: OPEN });
  }

  async close(): Promise<void> {
    for (const node of this.#links.keys()) this.heal(node);
    for (const socket of this.#sockets) socket.destroy();
    for (const server of [this.#server, ...this.#atFiles]) {
      server.close();
      await once(server, "close");
    }
  }

  async #carry(client: Socket): Promise<void> {
    this.#keep(client);
    const node = client.remotePort === undefined ? null : this.options.whose(client.remotePort);
    const link = node === null ? { toServer: { ...OPEN }, toNode: { ...OPEN } } : this.link(node);
    // A cut network carries no SYN either; the client's end of it is ours.
    await this.#untilOpen(link.toServer);
    await this.#untilOpen(link.toNode);
    if (client.destroyed) return;
    const upstream = connect({ port: this.options.serverPort, host: "127.0.0.1", allowHalfOpen: true });
    this.#keep(upstream);
    void this.#pump(client, upstream, link.toServer);
    void this.#pump(upstream, client, link.toNode);
  }

  async #pump(from: Socket, to: Socket, way: Way): Promise<void> {
    try {
      for await (const chunk of from.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
        await this.#pass(way, chunk.length);
        if (this.#random.next() < way.resetChance) throw new Error("reset");
        if (!to.write(chunk)) await Promise.race([once(to, "drain"), once(to, "close")]);
        if (to.destroyed) throw new Error("the other end is gone");
      }
      await this.#untilOpen(way);
      to.end();
    } catch {
      // The other end hears of it when its way is open.
      await this.#untilOpen(way);
      from.destroy();
      to.resetAndDestroy();
    }
  }

  async #pass(way: Way, bytes: number): Promise<void> {
    const stallMs = this.#random.next() < way.stallChance ? this.#random.int(200, STALL_MS_MAX) : 0;
    const waitMs = way.delayMs + stallMs + (bytes / way.bytesPerSecond) * 1000;
    if (waitMs >= 1) await pause(waitMs);
    await this.#untilOpen(way);
  }

  async #untilOpen(way: Way): Promise<void> {
    while (way.isHeld) {
      await new Promise<void>((resolve) => {
        const waiting = this.#opened.get(way) ?? new Set();
        this.#opened.set(way, waiting);
        waiting.add(resolve);
      });
    }
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket);
    socket.setNoDelay(true);
    // Whoever pumps meets it.
    socket.on("error", () => undefined);
    socket.once("close", () => this.#sockets.delete(socket));
  }
}
