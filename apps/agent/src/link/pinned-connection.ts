/**
 * Connections to the control plane. A pin of the certificate's public key is always checked when there is one, whatever the
 * system's authorities say, and before a single byte of ours leaves; without one the system's authorities must vouch.
 * Plain http is refused except for this machine.
 */
import type { Agent as HttpAgent } from "node:http";
import type { Duplex } from "node:stream";
import { type ConnectionOptions, connect } from "node:tls";
import { sha256, showPin } from "@nexus/shared/crypto/fingerprint";
import { NexusError } from "@nexus/shared/errors";
import { isLoopbackOrigin } from "@nexus/shared/protocol/origin";

export type ServerAddress = {
  origin: string;
  /** SHA-256 of the SPKI, base64url. */
  spkiPin: string | null;
};

const CONNECT_TIMEOUT_MS = 15_000;

type Done = (error: Error | null, socket?: Duplex) => void;

/** Options for `http(s).request` and for ws; undefined where a plain socket to this machine will do. */
export function connectionOptions(address: ServerAddress): {
  createConnection?: NonNullable<HttpAgent["createConnection"]>;
} {
  if (!address.origin.startsWith("https:")) {
    if (isLoopbackOrigin(address.origin)) return {};
    throw new NexusError("forbidden", {
      detail: `${address.origin} is plain http, which is for this machine only: anyone on the way could pose as the control plane. Serve it over https and make a new token.`,
    });
  }
  return {
    createConnection: (options, done) => {
      openPinned(options as ConnectionOptions, address, done as Done);
      return undefined;
    },
  };
}

function openPinned(options: ConnectionOptions, address: ServerAddress, done: Done): void {
  const { origin, spkiPin } = address;
  const socket = connect({
    ...options,
    ALPNProtocols: ["http/1.1"],
    // With a pin the certificate is judged by its key alone: names and dates of a self-signed one prove nothing.
    rejectUnauthorized: spkiPin === null,
    // Then the system's hundred and more authorities are not even loaded.
    ...(spkiPin === null ? {} : { ca: [] }),
  });
  const timer = setTimeout(() => fail(new Error("the TLS handshake took too long")), CONNECT_TIMEOUT_MS);

  function fail(error: Error): void {
    clearTimeout(timer);
    socket.destroy();
    done(error);
  }

  socket.once("error", fail);
  socket.once("secureConnect", () => {
    const shown = socket.getPeerX509Certificate()?.publicKey.export({ type: "spki", format: "der" });
    const pin = shown === undefined ? "none" : sha256(shown);
    if (spkiPin !== null && pin !== spkiPin) {
      fail(
        new NexusError("pin_mismatch", {
          detail: `The certificate of ${origin} has the key ${showPin(pin)}, but ${showPin(spkiPin)} was pinned. Nothing was sent. If the control plane was reinstalled, enrol again with a new token; otherwise somebody is in between.`,
        }),
      );
      return;
    }
    clearTimeout(timer);
    socket.off("error", fail);
    done(null, socket);
  });
}
