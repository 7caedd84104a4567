import { getCiphers } from "node:crypto";
import { Duplex } from "node:stream";
import { Client } from "ssh2";

/** For `doctor`: which code encrypts the connections of the engine ssh2. */
export type CryptoPath = {
  /** `native`: ssh2's own addon, built by its install script. `node`: node:crypto, which needs none. */
  path: "native" | "node";
  /** Whether the ciphers that we offer first are done by OpenSSL. */
  hasFastCiphers: boolean;
  text: string;
};

const FAST_CIPHERS = ["aes-128-gcm", "aes-256-gcm"];

export function readCryptoPath(): CryptoPath {
  const isNative = hasNativeAddon();
  const known = getCiphers();
  const hasFastCiphers = FAST_CIPHERS.every((name) => known.includes(name));
  const cipher = hasFastCiphers
    ? "AES-GCM, by OpenSSL"
    : "AES-CTR: this Node has no AES-GCM, so transfers take more processor time";
  const text = isNative
    ? `ssh2 with its native addon; ${cipher}`
    : `ssh2 without its native addon, which nothing here needs; ${cipher}. A server that offers chacha20 only is slow (about 46 MB/s)`;
  return { path: isNative ? "native" : "node", hasFastCiphers, text };
}

/** ssh2 says it in the first line of its debug output, before a byte is sent, and nowhere else in its interface. */
function hasNativeAddon(): boolean {
  const lines: string[] = [];
  const client = new Client();
  client.on("error", () => undefined);
  const nowhere = new Duplex({ read: () => undefined, write: (_chunk, _encoding, done) => done() });
  client.connect({
    sock: nowhere,
    username: "nobody",
    hostVerifier: () => false,
    readyTimeout: 0,
    debug: (line) => lines.push(line),
  });
  nowhere.destroy();
  return lines.some((line) => line === "Custom crypto binding available");
}
