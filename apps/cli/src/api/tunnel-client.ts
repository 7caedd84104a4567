/**
 * Connections to services of one target, carried by the control plane over one WebSocket. Owns the socket: it is dialled when it is
 * needed, and again after it was lost. Invariant: what a lost socket carried is broken with a sentence, never ended as if it were whole.
 */
import type { IncomingMessage } from "node:http";
import { isErrorCode, NexusError } from "@nexus/shared/errors";
import { TUNNELS_MAX } from "@nexus/shared/protocol/limits";
import type { TunnelAsk } from "@nexus/shared/protocol/messages";
import { readTunnelAnswer } from "@nexus/shared/protocol/read-message";
import type { TunnelMux, TunnelTo, TunnelWay } from "@nexus/shared/tunnel/tunnel-mux";
import { carryTunnels } from "@nexus/shared/tunnel/tunnel-socket";
import { WebSocket } from "ws";
import type { Connection } from "../config/cli-config.ts";

const TIMEOUT_MS = 30_000;
const BODY_CHARS_MAX = 16_384;
const CLOSE_SIGNED_OUT = 4401;

export type TunnelClient = {
  /** @throws NexusError with what refused it. */
  open(to: TunnelTo): Promise<TunnelWay>;
  close(): void;
};

export function createTunnelClient(
  { url, apiKey }: Pick<Connection, "url" | "apiKey">,
  { target, via }: { target: string; via?: string | undefined },
): TunnelClient {
  let live: { socket: WebSocket; mux: Promise<TunnelMux> } | null = null;

  function dial(): { socket: WebSocket; mux: Promise<TunnelMux> } {
    const query = new URLSearchParams({ target, ...(via === undefined ? {} : { via }) });
    const socket = new WebSocket(`${url.replace(/^http/, "ws")}/ws/tunnel?${query}`, {
      headers: { authorization: `Bearer ${apiKey}` },
      handshakeTimeout: TIMEOUT_MS,
      perMessageDeflate: false,
      followRedirects: false,
    });
    const { promise: mux, resolve, reject } = Promise.withResolvers<TunnelMux>();
    socket.once("open", () =>
      resolve(
        carryTunnels<TunnelAsk>(socket, {
          read: readTunnelAnswer,
          tunnelsMax: TUNNELS_MAX,
          limitText: () =>
            `${TUNNELS_MAX} connections are open at once, which is the most of one command. Close some, or begin a second one.`,
          endText: (code, reason) => lostText(url, code, reason),
        }),
      ),
    );
    socket.on("unexpected-response", (request, response) => {
      void refusalOf(url, response).then((refusal) => {
        if (live?.socket === socket) live = null;
        reject(refusal);
        request.destroy();
      });
    });
    socket.on("error", (cause) =>
      reject(new NexusError("unavailable", { detail: `${url} cannot be reached: ${cause.message}.`, cause })),
    );
    socket.on("close", () => {
      if (live?.socket === socket) live = null;
    });
    return { socket, mux };
  }

  return {
    async open(to) {
      live ??= dial();
      const mux = await live.mux;
      const lateText = `${url} did not answer within ${TIMEOUT_MS / 1000} s.`;
      return await mux.open(to, { timeoutMs: TIMEOUT_MS, lateText });
    },
    close() {
      live?.socket.close(1000, "done");
    },
  };
}

function lostText(url: string, code: number, reason: string): string {
  if (code === CLOSE_SIGNED_OUT)
    return "You may do this no longer: the key was revoked, or its role changed.";
  const why = reason === "" ? `code ${code}` : reason;
  return `The connection to ${url} was lost (${why}), and what went through it was cut.`;
}

async function refusalOf(url: string, response: IncomingMessage): Promise<NexusError> {
  let text = "";
  try {
    for await (const bytes of response.setEncoding("utf8")) {
      text += bytes;
      if (text.length > BODY_CHARS_MAX) break;
    }
    const { error } = JSON.parse(text) as { error?: { code?: string; message?: string } };
    if (isErrorCode(error?.code)) return new NexusError(error.code, { detail: error.message });
  } catch {
    // Told below.
  }
  return new NexusError("unavailable", {
    detail: `${url} answers ${response.statusCode} to the WebSocket. Is it a Nexus that knows port-forward, and does a proxy in front of it pass WebSockets through?`,
  });
}
