/**
 * `GET /ws/tunnel?target=T[&via=agent|ssh]` as a WebSocket: connections to services of one target, as many as are asked for on it.
 * Only with a key: a page of somebody else's can make a browser dial, and cookies would go along. Owns the sockets. Invariants: none
 * without the role for it; each connection looks up again who asks, and a socket whose person loses the role is closed.
 */
import { type IncomingMessage, STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import { ERROR_TABLE, NexusError } from "@nexus/shared/errors";
import { TUNNELS_MAX } from "@nexus/shared/protocol/limits";
import { readTunnelAsk } from "@nexus/shared/protocol/read-message";
import type { TunnelTo, TunnelWay } from "@nexus/shared/tunnel/tunnel-mux";
import { carryTunnels, type WebSocketLike } from "@nexus/shared/tunnel/tunnel-socket";
import type { Authenticator } from "../services/access/authenticator.ts";
import { type Credentials, readCredentials } from "../services/access/credentials.ts";
import type { TunnelCarrier, TunnelService } from "../services/tunnels/tunnel-service.ts";
import type { ApiParts } from "./context.ts";
import { toRefusal } from "./refusal.ts";
import { requireRole } from "./require-role.ts";
import { watchAccess } from "./watch-access.ts";

/** Whoever may run a job on a machine reaches its services anyway. */
const ROLE = "member";
const CARRIERS: readonly string[] = ["agent", "ssh"] satisfies TunnelCarrier[];
const CLOSE_SIGNED_OUT = 4401;
const CLOSE_RESTART = 1012;

/** A `ws` server made with `noServer`; only the gateway's folder may import the package. */
type SocketServer = {
  clients: Iterable<WebSocketLike>;
  handleUpgrade(
    req: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    done: (client: WebSocketLike) => void,
  ): void;
};

type Admitted = {
  credentials: Credentials;
  userId: string;
  target: string;
  via: TunnelCarrier | null;
  leave: () => void;
};

export type TunnelRouteOptions = {
  parts: ApiParts;
  tunnels: TunnelService;
  authenticator: Authenticator;
  sockets: SocketServer;
};

export type TunnelRoute = {
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
  close(): void;
};

export function createTunnelRoute(options: TunnelRouteOptions): TunnelRoute {
  const { parts, tunnels, authenticator, sockets } = options;

  return {
    upgrade(request, socket, head) {
      admit(request).then(
        (admitted) => {
          if (socket.destroyed) {
            admitted.leave();
            return;
          }
          socket.once("close", admitted.leave);
          sockets.handleUpgrade(request, socket, head, (client) => serve(client, admitted));
        },
        (cause: unknown) => refuse(socket, toRefusal(cause, parts)),
      );
    },
    close() {
      for (const client of sockets.clients) client.close(CLOSE_RESTART, "the control plane restarts");
    },
  };

  async function admit({ headers, url = "" }: IncomingMessage): Promise<Admitted> {
    const credentials = readCredentials(headers);
    if (credentials?.kind !== "key" || headers.origin !== undefined)
      throw new NexusError("unauthenticated", { detail: "A tunnel needs a key, and is not for browsers." });
    const { principal } = await authenticator.authenticate(credentials);
    requireRole(principal, ROLE);
    if (headers.upgrade?.toLowerCase() !== "websocket") {
      throw new NexusError("needs_update", {
        detail: "This control plane carries ports over a WebSocket. Update the nexus command to its version.",
      });
    }
    const { searchParams } = new URL(url, "http://host");
    const via = searchParams.get("via");
    if (via !== null && !CARRIERS.includes(via))
      throw new NexusError("bad_request", { detail: `${via} carries nothing: agent or ssh.` });
    return {
      credentials,
      userId: principal.userId,
      target: searchParams.get("target") ?? "",
      via: via as TunnelCarrier | null,
      leave: parts.limits.streams.enter(principal.userId),
    };
  }

  function serve(client: WebSocketLike, admitted: Admitted): void {
    const { credentials, userId } = admitted;
    const mux = carryTunnels(client, {
      read: readTunnelAsk,
      connect: (to) => connect(admitted, to),
      tunnelsMax: TUNNELS_MAX,
      limitText: () =>
        `This command has ${TUNNELS_MAX} connections open at once, which is the most. Close some, or begin a second one.`,
      endText: (code) => `The connection of whoever opened it ended (${code}).`,
    });
    const stop = watchAccess(parts.services.events, authenticator, {
      ...{ credentials, userId, role: ROLE },
      onLost() {
        // At once, and not when the other end has answered the close: that is up to it.
        mux.breakAll(
          new NexusError("forbidden", { detail: "Whoever opened the connection may do this no longer." }),
        );
        client.close(CLOSE_SIGNED_OUT, "you may do this no longer");
      },
    });
    client.on("close", stop);
  }

  async function connect({ credentials, target, via }: Admitted, to: TunnelTo): Promise<TunnelWay> {
    try {
      const { principal } = await authenticator.authenticate(credentials);
      requireRole(principal, ROLE);
      const leave = parts.limits.tunnels.enter(principal.userId);
      try {
        const way = await tunnels.open(principal, { target, to, via });
        // It may have broken while the audit was written, and says so only once.
        if (way.stream.destroyed) leave();
        else way.stream.once("close", leave);
        return way;
      } catch (cause) {
        leave();
        throw cause;
      }
    } catch (cause) {
      throw toRefusal(cause, parts);
    }
  }
}

function refuse(socket: Duplex, { code, message }: NexusError): void {
  const { http } = ERROR_TABLE[code];
  const body = JSON.stringify({ error: { code, message } });
  socket.end(
    `HTTP/1.1 ${http} ${STATUS_CODES[http] ?? "Refused"}\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
  );
}
