/**
 * `GET /ws/tunnel?target=T&port=N` with an upgrade: one connection to a port on a target's own loopback, as bytes. Only with a key: a
 * page of somebody else's can make a browser dial, and cookies would go along.
 */
import type { IncomingMessage } from "node:http";
import { type Duplex, pipeline } from "node:stream";
import { ERROR_TABLE, NexusError } from "@nexus/shared/errors";
import { roleAllows } from "@nexus/shared/roles";
import type { Authenticator } from "../services/access/authenticator.ts";
import { readCredentials } from "../services/access/credentials.ts";
import type { ApiParts } from "./context.ts";
import { toRefusal } from "./refusal.ts";

const PORT_MAX = 65_535;

export type TunnelRoute = (request: IncomingMessage, socket: Duplex, head: Buffer) => void;

export function createTunnelRoute(parts: ApiParts, authenticator: Authenticator): TunnelRoute {
  return (request, socket, head) => {
    open(request).then(
      (remote) => {
        if (socket.destroyed) {
          remote.destroy();
          return;
        }
        socket.write(
          "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: nexus-tunnel\r\n\r\n",
        );
        if (head.length > 0) remote.write(head);
        pipeline(socket, remote, () => undefined);
        pipeline(remote, socket, () => undefined);
      },
      (cause: unknown) => refuse(socket, cause),
    );
  };

  async function open({ headers, url = "" }: IncomingMessage): Promise<Duplex> {
    if (headers.authorization === undefined || headers.origin !== undefined)
      throw new NexusError("unauthenticated", { detail: "A tunnel needs a key, and is not for browsers." });
    const { principal } = await authenticator.authenticate(readCredentials(headers));
    if (!roleAllows(principal.role, "member"))
      throw new NexusError("forbidden", {
        detail: `This needs the role member; you are ${principal.role} of this team.`,
      });
    const { searchParams } = new URL(url, "http://host");
    const port = Number(searchParams.get("port"));
    if (!Number.isInteger(port) || port < 1 || port > PORT_MAX)
      throw new NexusError("bad_request", { detail: `${searchParams.get("port")} is not a port.` });
    const leave = parts.limits.streams.enter(principal.userId);
    try {
      const remote = await parts.ssh.openTunnel(principal, {
        target: searchParams.get("target") ?? "",
        port,
      });
      remote.once("close", leave);
      return remote;
    } catch (cause) {
      leave();
      throw cause;
    }
  }

  function refuse(socket: Duplex, cause: unknown): void {
    const { code, message } = toRefusal(cause, parts);
    const status = ERROR_TABLE[code].http;
    const body = JSON.stringify({ error: { code, message } });
    socket.end(
      `HTTP/1.1 ${status} Refused\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
    );
  }
}
