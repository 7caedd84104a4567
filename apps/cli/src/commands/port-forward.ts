/** `nexus port-forward TARGET PORTS…`: ports here that lead to services of the target, for as long as the command runs. */
import { type AddressInfo, createServer, type Server } from "node:net";
import { trustCertificate } from "@nexus/shared/crypto/trust-certificate";
import { NexusError } from "@nexus/shared/errors";
import { breakOff, joinStreams } from "@nexus/shared/tunnel/join-streams";
import { type Command, Option } from "commander";
import type { TunnelClient } from "../api/tunnel-client.ts";
import { type Cli, note, print } from "../cli.ts";
import { readConnection } from "../config/cli-config.ts";
import { plain } from "../terminal/plain.ts";
import { addExamples } from "./common-options.ts";

const PORT_MAX = 65_535;
/** A lost link breaks many connections at once, for one reason. */
const SAY_AGAIN_MS = 5_000;

export function addPortForward(program: Command, cli: Cli): void {
  const command = program
    .command("port-forward")
    .description("reach a port of a target, such as a server that runs there, through the control plane")
    .argument("<target>", "its name or id")
    .argument(
      "<ports...>",
      "LOCAL:REMOTE, or one port for both; LOCAL 0 takes any free one. LOCAL:HOST:REMOTE leads on to another machine, where the target's policy.json names it",
    )
    .option(
      "--bind <address>",
      "listen on another address than 127.0.0.1: whoever reaches it reaches the port",
    )
    .addOption(
      new Option(
        "--via <way>",
        "the target's agent or SSH alone; otherwise its agent, and SSH with a kept key where that is away or too old",
      ).choices(["agent", "ssh"]),
    )
    .action((target: string, ports: string[], options: { bind?: string; via?: string }) =>
      portForward(cli, { target, ports, ...options }),
    );
  addExamples(command, [
    ["nexus port-forward gpu1 8000", "http://127.0.0.1:8000 here is port 8000 there"],
    ["nexus port-forward gpu1 9000:6006 8888", "a TensorBoard at port 9000 here, and a notebook"],
    ["nexus port-forward gpu1 5432:db.lab:5432", "a database that gpu1 reaches"],
  ]);
}

type Forward = { target: string; ports: string[]; bind?: string; via?: string };
type Port = { local: number; host: string; remote: number };

async function portForward(
  cli: Cli,
  { target, ports: texts, bind = "127.0.0.1", via }: Forward,
): Promise<void> {
  const ports = texts.map(portOf);
  const connection = await readConnection(cli);
  if (connection.certificate !== undefined) trustCertificate(connection.certificate);
  // Its schema library would double the start-up time of every command.
  const { createTunnelClient } = await import("../api/tunnel-client.ts");
  const client = createTunnelClient(connection, { target, via });
  const say = createTeller(cli);
  const servers: Server[] = [];
  try {
    for (const port of ports) {
      // The first one tells at once what would refuse all.
      const way = await client.open({ host: port.host, port: port.remote });
      way.stream.destroy();
      if (way.note != null) say(way.note);
      const server = serve(client, port, say);
      servers.push(server);
      await listen(server, { bind, port: port.local });
      const place = port.host === "localhost" ? `port ${port.remote}` : `${port.host}:${port.remote}`;
      print(cli, `${addressText(server)} leads to ${place} of ${plain(target)} (Ctrl-C ends it)`);
    }
    await new Promise<void>((resolve) => {
      process.once("SIGINT", resolve).once("SIGTERM", resolve);
    });
  } finally {
    for (const server of servers) server.close();
    client.close();
  }
}

function serve(client: TunnelClient, { host, remote }: Port, say: (line: string) => void): Server {
  return createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true }, (socket) => {
    socket.on("error", () => undefined);
    client.open({ host, port: remote }).then(
      ({ stream, note: told }) => {
        if (told != null) say(told);
        // What the program here breaks off is its own affair; what broke on the way is news.
        stream.on("error", (error) => {
          if (!socket.errored) say(error.message);
        });
        joinStreams(socket, stream);
        socket.resume();
      },
      (error: unknown) => {
        breakOff(socket, null);
        say(error instanceof Error ? error.message : String(error));
      },
    );
  });
}

/** Says a sentence again only after a while. */
function createTeller(cli: Cli): (line: string) => void {
  const saidAtMs = new Map<string, number>();
  return (line) => {
    const nowMs = cli.nowMs();
    if (nowMs - (saidAtMs.get(line) ?? Number.NEGATIVE_INFINITY) < SAY_AGAIN_MS) return;
    saidAtMs.clear();
    saidAtMs.set(line, nowMs);
    note(cli, plain(line));
  };
}

function listen(server: Server, { bind, port }: { bind: string; port: number }): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (cause: NodeJS.ErrnoException) => {
      const why =
        cause.code === "EADDRINUSE"
          ? "another program has it. Take a free one: 0:REMOTE"
          : cause.code === "EACCES"
            ? "it takes root. Take one above 1023"
            : cause.message;
      reject(
        new NexusError("conflict", {
          detail: `Port ${port} on ${bind} cannot be listened on: ${why}.`,
          cause,
        }),
      );
    });
    server.listen(port, bind, resolve);
  });
}

function addressText(server: Server): string {
  const { address, port } = server.address() as AddressInfo;
  return `${address.includes(":") ? `[${address}]` : address}:${port}`;
}

function portOf(text: string): Port {
  const [, first, host, last] =
    /^(\d{1,5})(?::(?:(\[[0-9A-Fa-f:.%]+\]|[A-Za-z0-9._-]+):)?(\d{1,5}))?$/.exec(text) ?? [];
  const [local, remote] = [Number(first), Number(last ?? first)];
  if (first === undefined || local > PORT_MAX || remote > PORT_MAX || remote < 1) {
    throw new NexusError("bad_request", {
      detail: `${text}: write LOCAL:REMOTE or one port, such as 9000:8000 or 8000.`,
    });
  }
  return { local, host: host?.replace(/^\[|\]$/g, "") ?? "localhost", remote };
}
