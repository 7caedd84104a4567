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

/**
 * Hides secrets in `bytes` itself.
 * @returns the wanted piece of them; it is shorter where what comes next may be the rest of a secret.
 */
export function maskSecrets(
  { bytes, from, to, isEnd }: MaskWindow,
  secrets: readonly Uint8Array[],
): Uint8Array {
  const end = isEnd ? to : Math.max(from, Math.min(to, undecidedFrom(bytes, secrets)));
  // All are found before one is hidden: two may share bytes.
  const found = secrets.map((secret) => placesOf(bytes, secret));
  for (const [index, { length }] of secrets.entries()) {
    for (const at of found[index] ?? []) bytes.fill(ASTERISK, at, at + length);
  }
  return bytes.subarray(from, end);
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

function placesOf(bytes: Uint8Array, secret: Uint8Array): number[] {
  const [first = 0] = secret;
  const last = bytes.length - secret.length;
  const places: number[] = [];
  for (let at = bytes.indexOf(first); at !== -1 && at <= last; at = bytes.indexOf(first, at + 1)) {
    if (matches(bytes, secret, at)) places.push(at);
  }
  return places;
}

/** As far as there are bytes. */
function matches(bytes: Uint8Array, secret: Uint8Array, at: number): boolean {
  const length = Math.min(secret.length, bytes.length - at);
  for (let index = length - 1; index >= 0; index -= 1) if (bytes[at + index] !== secret[index]) return false;
  return true;
}
