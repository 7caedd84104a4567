import type { Algorithms } from "ssh2";

/**
 * What we offer, best first. Written out, because ssh2's defaults still hold ssh-rsa (SHA-1) and hmac-sha1.
 *
 * AES-GCM comes first: node:crypto does it in hardware at 350 MB/s, while ssh2's chacha20 without its native part (which
 * needs an install script, and does not load on a Node it was not built for) falls to 46 MB/s.
 *
 * There is no post-quantum key exchange: ssh2 has none. OpenSSH from 10.1 on warns of that, and a server that offers
 * nothing else needs the engine openssh.
 */
const MODERN = {
  kex: [
    "curve25519-sha256",
    "curve25519-sha256@libssh.org",
    "ecdh-sha2-nistp256",
    "ecdh-sha2-nistp384",
    "ecdh-sha2-nistp521",
    "diffie-hellman-group-exchange-sha256",
    "diffie-hellman-group16-sha512",
    "diffie-hellman-group18-sha512",
    "diffie-hellman-group14-sha256",
  ],
  serverHostKey: [
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "rsa-sha2-512",
    "rsa-sha2-256",
  ],
  cipher: [
    "aes128-gcm@openssh.com",
    "aes256-gcm@openssh.com",
    "aes128-ctr",
    "aes192-ctr",
    "aes256-ctr",
    "chacha20-poly1305@openssh.com",
  ],
  hmac: ["hmac-sha2-256-etm@openssh.com", "hmac-sha2-512-etm@openssh.com", "hmac-sha2-256", "hmac-sha2-512"],
  // Log bytes are batched and compressed elsewhere; zlib on the line costs more than it saves on a LAN.
  compress: ["none"],
} satisfies Algorithms;

/** For machines that nobody can update: a person switches these on for one host, never for all. */
const LEGACY = {
  kex: ["diffie-hellman-group-exchange-sha1", "diffie-hellman-group14-sha1"],
  serverHostKey: ["ssh-rsa"],
  cipher: ["aes256-cbc", "aes128-cbc"],
  hmac: ["hmac-sha1-etm@openssh.com", "hmac-sha1"],
} satisfies Algorithms;

export type AlgorithmChoice = {
  /** Also offer what is broken or weak, after all else. */
  legacy?: boolean;
  /** Narrows the ciphers, in this order, to those named. */
  ciphers?: readonly string[];
  /** Types of host keys that we would trust: asked for first. */
  trustedTypes: readonly string[];
};

/** Types of host keys of which ssh2 can check a proof. */
export const PROVABLE_TYPES = [
  "ssh-ed25519",
  "ssh-rsa",
  "ecdsa-sha2-nistp256",
  "ecdsa-sha2-nistp384",
  "ecdsa-sha2-nistp521",
];

export function chooseAlgorithms(choice: AlgorithmChoice): Algorithms {
  const legacy = choice.legacy ? LEGACY : { kex: [], serverHostKey: [], cipher: [], hmac: [] };
  const hostKeys = [...MODERN.serverHostKey, ...legacy.serverHostKey];
  const isTrusted = (name: (typeof hostKeys)[number]) =>
    choice.trustedTypes.includes(name.startsWith("rsa-sha2-") ? "ssh-rsa" : name);
  const ciphers = [...MODERN.cipher, ...legacy.cipher];
  const wanted = choice.ciphers;
  return {
    kex: [...MODERN.kex, ...legacy.kex],
    // A server shows the first type that both sides know: a known one, where we know one.
    serverHostKey: [...hostKeys.filter(isTrusted), ...hostKeys.filter((name) => !isTrusted(name))],
    cipher:
      wanted === undefined ? ciphers : wanted.flatMap((name) => ciphers.filter((cipher) => cipher === name)),
    hmac: [...MODERN.hmac, ...legacy.hmac],
    compress: MODERN.compress,
  };
}
