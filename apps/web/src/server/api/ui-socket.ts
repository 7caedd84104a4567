/**
 * The browser's live socket, `/ws/ui`. Owns the open sockets of people. States of one: refused before the upgrade (an HTTP answer,
 * no socket), open, closed. Invariants: no upgrade without a valid cookie or key; with a cookie none without an Origin of ours, so a
 * foreign page cannot ride on a visitor's cookie; an open socket of a person who lost their access is closed at once where the change
 * was made, and within `RECHECK_MS` elsewhere; every call on it looks up who acts again.
 */
import { type IncomingMessage, STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import { ERROR_TABLE, NexusError } from "@nexus/shared/errors";
import { getWSConnectionHandler, type WSSHandlerOptions } from "@trpc/server/adapters/ws";
import type { Authenticator } from "../services/access/authenticator.ts";
import { type Credentials, readCredentials } from "../services/access/credentials.ts";
import type { ApiParts } from "./context.ts";
import { isConfidential } from "./http/is-confidential.ts";
import { isOwnOrigin } from "./http/origin.ts";
import { toRefusal } from "./refusal.ts";
import { appRouter } from "./router.ts";
import { watchAccess } from "./watch-access.ts";

const PING_MS = 30_000;
const PONG_WAIT_MS = 10_000;
const UNREAD_BYTES_MAX = 1024 * 1024;
const LOOK_AGAIN_MS = 100;
/** RFC 6455: a private code; the client signs in again instead of dialling again. */
const CLOSE_SIGNED_OUT = 4401;
const CLOSE_RESTART = 1012;

/** A `ws` server made with `noServer`; only the gateway's folder may import the package. */
type SocketServer = WSSHandlerOptions<typeof appRouter>["wss"];
type Client = Parameters<ReturnType<typeof getWSConnectionHandler>>[0];

type Admitted = { credentials: Credentials | null; userId: string; leave: () => void };

export type UiSocketsOptions = {
  parts: ApiParts;
  authenticator: Authenticator;
  origins: readonly string[];
  sockets: SocketServer;
};

export type UiSockets = {
  /** For the dispatcher of upgrades. Answers the socket itself, whatever happens. */
  handleUiUpgrade(req: IncomingMessage, socket: Duplex, head: Buffer): void;
  /** Tells every browser to come again, as before a restart. */
  close(): void;
};

export function createUiSockets(options: UiSocketsOptions): UiSockets {
  const { parts, authenticator, origins, sockets } = options;
  const connect = getWSConnectionHandler({
    wss: sockets,
    router: appRouter,
    keepAlive: { enabled: true, pingMs: PING_MS, pongWaitMs: PONG_WAIT_MS },
    createContext: ({ req, res }) => ({
      ...parts,
      authenticate: async () => await authenticator.authenticate(credentialsOf(req)),
      isConfidential: isConfidential(req),
      bufferedBytes: () => res.bufferedAmount,
    }),
  });

  return {
    handleUiUpgrade(req, socket, head) {
      // Until the upgrade the socket is ours: an error on it must not end the process.
      socket.on("error", () => socket.destroy());
      admit(req).then(
        (admitted) => {
          if (socket.destroyed) {
            admitted.leave();
            return;
          }
          socket.once("close", admitted.leave);
          sockets.handleUpgrade(req, socket, head, (client: Client) => {
            const stop = watchAccess(parts.services.events, authenticator, {
              ...admitted,
              role: "viewer",
              onLost: () => client.close(CLOSE_SIGNED_OUT, "signed out"),
            });
            client.once("close", stop);
            holdBack(client);
            connect(client, req);
          });
        },
        (cause: unknown) => refuse(socket, toRefusal(cause, parts)),
      );
    },
    close() {
      for (const client of sockets.clients) client.close(CLOSE_RESTART, "the server restarts");
    },
  };

  async function admit(req: IncomingMessage): Promise<Admitted> {
    const credentials = credentialsOf(req);
    if (credentials?.kind !== "key" && !isOwnOrigin(req.headers, origins)) {
      throw new NexusError("forbidden", {
        detail: `The page that opened this socket is not of this server (Origin ${req.headers.origin ?? "absent"}). If people reach it under that address, set NEXUS_PUBLIC_URL to it.`,
      });
    }
    const { principal } = await authenticator.authenticate(credentials);
    const { userId } = principal;
    return { credentials, userId, leave: parts.limits.streams.enter(userId) };
  }
}

/** Who asks but does not read gets no more asked: at a MiB of answers that wait, the next question stays in its own socket. */
function holdBack(client: Client): void {
  let timer: NodeJS.Timeout | undefined;
  const look = () => {
    if (client.bufferedAmount > UNREAD_BYTES_MAX) return;
    clearInterval(timer);
    timer = undefined;
    client.resume();
  };
  client.on("message", () => {
    if (timer !== undefined || client.bufferedAmount <= UNREAD_BYTES_MAX) return;
    client.pause();
    timer = setInterval(look, LOOK_AGAIN_MS);
  });
  client.once("close", () => clearInterval(timer));
}

/** A browser cannot set headers on a socket, so the wanted team may stand in the query; it is not a secret. */
function credentialsOf(req: IncomingMessage): Credentials | null {
  const credentials = readCredentials(req.headers);
  if (!credentials || credentials.team !== null) return credentials;
  const team = URL.parse(req.url ?? "", "http://host")?.searchParams.get("team") ?? null;
  return { ...credentials, team };
}

function refuse(socket: Duplex, refusal: NexusError): void {
  const { http } = ERROR_TABLE[refusal.code];
  const body = `${refusal.message}\n`;
  socket.end(
    `HTTP/1.1 ${http} ${STATUS_CODES[http] ?? "Refused"}\r\nconnection: close\r\ncontent-type: text/plain; charset=utf-8\r\n` +
      `content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}
