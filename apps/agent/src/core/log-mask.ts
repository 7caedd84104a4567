/**
 * Secrets in a log become asterisks, byte for byte, before a byte leaves the node: offsets stay what they are, and what is hidden does
 * not depend on how the log is cut into pieces. Pure.
 */

/** Shorter values are in every log: hiding them would hide the log. */
const SECRET_BYTES_MIN = 4;
const ASTERISK = 42;

/**
 * The bytes to look for. Of a value of several lines each is one, as programs print them line by line; line ends are kept, so that the
 * log keeps its lines.
 */
export function secretsOf(values: readonly string[]): Uint8Array[] {
  const encoder = new TextEncoder();
  const lines = values.flatMap((value) => value.split(/\r?\n/)).map((line) => line.trim());
  return [...new Set(lines)]
    .map((line) => encoder.encode(line))
    .filter((line) => line.length >= SECRET_BYTES_MIN);
}

/** How many bytes before and behind a piece decide what of it is hidden. */
export function maskMargin(secrets: readonly Uint8Array[]): number {
  return Math.max(0, ...secrets.map((secret) => secret.length - 1));
}

/** A part of a log, with `maskMargin` bytes around the piece that is wanted, or up to where the log begins and is known. */
export type MaskWindow = {
  bytes: Uint8Array;
  /** Where in `bytes` the wanted piece begins and ends. */
  from: number;
  to: number;
  /** The log does not go on behind `bytes`, ever. */
  isEnd: boolean;
};

/** @returns the wanted piece, hidden where it must be; it is shorter where what comes next may be the rest of a secret. */
export function maskSecrets(
  { bytes, from, to, isEnd }: MaskWindow,
  secrets: readonly Uint8Array[],
): Uint8Array {
  const end = isEnd ? to : Math.max(from, Math.min(to, undecidedFrom(bytes, secrets)));
  const piece = bytes.slice(from, end);
  for (const secret of secrets) {
    for (let at = find(bytes, secret, 0); at !== -1; at = find(bytes, secret, at + 1)) {
      piece.fill(ASTERISK, Math.max(0, at - from), Math.max(0, at + secret.length - from));
    }
  }
  return piece;
}

/** Where the longest beginning of a secret stands that ends the bytes; their length when there is none. */
function undecidedFrom(bytes: Uint8Array, secrets: readonly Uint8Array[]): number {
  let first = bytes.length;
  for (const secret of secrets) {
    for (let at = Math.max(0, bytes.length - secret.length + 1); at < first; at += 1) {
      if (matches(bytes, secret, at)) first = at;
    }
  }
  return first;
}

function find(bytes: Uint8Array, secret: Uint8Array, from: number): number {
  for (let at = bytes.indexOf(secret[0] ?? 0, from); at !== -1; at = bytes.indexOf(secret[0] ?? 0, at + 1)) {
    if (at + secret.length > bytes.length) return -1;
    if (matches(bytes, secret, at)) return at;
  }
  return -1;
}

/** As far as there are bytes. */
function matches(bytes: Uint8Array, secret: Uint8Array, at: number): boolean {
  const length = Math.min(secret.length, bytes.length - at);
  for (let index = length - 1; index >= 0; index -= 1) if (bytes[at + index] !== secret[index]) return false;
  return true;
}
