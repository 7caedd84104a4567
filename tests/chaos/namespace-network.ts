/**
 * A network of its own for one node (Linux, root): the node's packets are real TCP on the loopback of a network namespace,
 * and so are their losses, when that loopback goes down. A small program inside carries its connections out over a socket
 * file, to the proxy of the house.
 */
import { spawnSync } from "node:child_process";
import { Child } from "../harness/child.ts";
import { until } from "../harness/until.ts";

export function canMakeNetworks(): boolean {
  return spawnSync("unshare", ["--net", "ip", "link", "set", "lo", "up"]).status === 0;
}

export class NamespaceNetwork {
  readonly #inside: Child;

  private constructor(inside: Child) {
    this.#inside = inside;
  }

  /** @param port where the node dials, on its own loopback. */
  static async open({ port, socketPath }: { port: number; socketPath: string }): Promise<NamespaceNetwork> {
    const start = `ip link set lo up && exec "$0" -e "$1" "$2" "$3"`;
    const inside = new Child(
      ["unshare", "--net", "sh", "-c", start, process.execPath, CARRIER, String(port), socketPath],
      { env: { PATH: process.env.PATH ?? "" } },
    );
    const network = new NamespaceNetwork(inside);
    await until("the carrier listens", async () => inside.stdout.includes("listening"));
    return network;
  }

  /** What a command begins with to run inside. */
  get prefix(): string[] {
    return ["nsenter", "--target", String(this.#inside.process.pid), "--net"];
  }

  cut(): void {
    this.#link("down");
  }

  heal(): void {
    this.#link("up");
  }

  #link(state: "up" | "down"): void {
    const [program = "", ...args] = [...this.prefix, "ip", "link", "set", "lo", state];
    const { status, stderr } = spawnSync(program, args, { encoding: "utf8" });
    if (status !== 0) throw new Error(`${program} ${args.join(" ")} ended with ${status}: ${stderr}`);
  }

  async close(): Promise<void> {
    await this.#inside.kill("SIGKILL");
  }
}

const CARRIER = `
const net = require("node:net");
const [port, path] = process.argv.slice(1);
const server = net.createServer({ allowHalfOpen: true }, (inner) => {
  const outer = net.connect({ path, allowHalfOpen: true });
  for (const [from, to] of [[inner, outer], [outer, inner]]) {
    from.setNoDelay?.(true);
    from.pipe(to);
    from.on("error", () => to.destroy());
    from.on("close", () => to.destroy());
  }
});
server.listen(Number(port), "127.0.0.1", () => console.log("listening"));
`;
