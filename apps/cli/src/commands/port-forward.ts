/** `nexus port-forward TARGET LOCAL[:REMOTE]`: a port here that leads to one on the target, for as long as the command runs. */
import { type AddressInfo, createServer } from "node:net";
import { pipeline } from "node:stream";
import { trustCertificate } from "@nexus/shared/crypto/trust-certificate";
import { NexusError } from "@nexus/shared/errors";
import type { Command } from "commander";
import { openTunnel } from "../api/open-tunnel.ts";
import { type Cli, note, print } from "../cli.ts";
import { readConnection } from "../config/cli-config.ts";
import { plain } from "../terminal/plain.ts";
import { addExamples } from "./common-options.ts";

const PORT_MAX = 65_535;

export function addPortForward(program: Command, cli: Cli): void {
  const command = program
    .command("port-forward")
    .description("reach a port of a target, such as a server that runs there, through the control plane")
    .argument("<target>", "its name or id; the control plane needs a key for it (targets add … --keep-key)")
    .argument("<ports>", "LOCAL:REMOTE, or one port for both; LOCAL 0 takes any free one")
    .option(
      "--bind <address>",
      "listen on another address than 127.0.0.1: whoever reaches it reaches the port",
    )
    .action((target: string, ports: string, options: { bind?: string }) =>
      portForward(cli, { target, ports, ...options }),
    );
  addExamples(command, [
    ["nexus port-forward gpu1 8000", "http://127.0.0.1:8000 here is port 8000 there"],
    ["nexus port-forward gpu1 9000:6006", "a TensorBoard of gpu1 at port 9000 here"],
  ]);
}

type Forward = { target: string; ports: string; bind?: string };

async function portForward(cli: Cli, { target, ports, bind = "127.0.0.1" }: Forward): Promise<void> {
  const [local, remote] = portsOf(ports);
  const connection = await readConnection(cli);
  if (connection.certificate !== undefined) trustCertificate(connection.certificate);
  // The first one tells at once what would refuse all.
  (await openTunnel(connection, { target, port: remote })).destroy();
  const server = createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true }, (socket) => {
    socket.on("error", () => socket.destroy());
    openTunnel(connection, { target, port: remote }).then(
      (tunnel) => {
        pipeline(socket, tunnel, () => undefined);
        pipeline(tunnel, socket, () => undefined);
        socket.resume();
      },
      (error: unknown) => {
        socket.destroy();
        note(cli, plain(error instanceof Error ? error.message : String(error)));
      },
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", (cause: NodeJS.ErrnoException) => {
      const why = cause.code === "EADDRINUSE" ? "it is taken" : cause.message;
      reject(
        new NexusError("conflict", {
          detail: `Port ${local} on ${bind} cannot be listened on: ${why}.`,
          cause,
        }),
      );
    });
    server.listen(local, bind, resolve);
  });
  const { address, port } = server.address() as AddressInfo;
  const shown = address.includes(":") ? `[${address}]` : address;
  print(cli, `${shown}:${port} leads to port ${remote} of ${plain(target)} (Ctrl-C ends it)`);
  await new Promise<void>((resolve) => {
    process.once("SIGINT", resolve).once("SIGTERM", resolve);
  });
  server.close();
}

function portsOf(text: string): [number, number] {
  const [, local, remote = local] = /^(\d{1,5})(?::(\d{1,5}))?$/.exec(text) ?? [];
  const [from, to] = [Number(local), Number(remote)];
  if (local === undefined || from > PORT_MAX || to < 1 || to > PORT_MAX) {
    throw new NexusError("bad_request", {
      detail: `${text}: write LOCAL:REMOTE or one port, such as 8000 or 9000:8000.`,
    });
  }
  return [from, to];
}
