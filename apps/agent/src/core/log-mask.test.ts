import fc from "fast-check";
import { expect, test } from "vitest";
import { maskMargin, maskSecrets, secretsOf } from "./log-mask.ts";

/** Sent as the shipper does: pieces of any size, while the log is known up to some place only. */
function sent(
  log: Uint8Array,
  secrets: Uint8Array[],
  { pieces, known }: { pieces: number[]; known: number[] },
): Uint8Array {
  const margin = maskMargin(secrets);
  const out = new Uint8Array(log.length);
  let at = 0;
  for (let turn = 0; at < log.length; turn += 1) {
    const isEnd = turn >= known.length;
    const size = isEnd ? log.length : Math.min(log.length, known[turn] ?? 0);
    const to = Math.min(size, at + (pieces[turn % pieces.length] ?? 1));
    if (to <= at) continue;
    const start = Math.max(0, at - margin);
    const stop = Math.min(size, to + margin);
    // Read anew for each piece, into the kind of memory that a file is read into.
    const window = { bytes: Buffer.from(log.subarray(start, stop)), from: at - start, to: to - start };
    const piece = maskSecrets({ ...window, isEnd: isEnd && stop === log.length }, secrets);
    out.set(piece, at);
    at += piece.length;
    if (piece.length === 0 && isEnd) throw new Error("nothing more is sent");
  }
  return out;
}

/** Every byte of every place where a secret stands. */
function hidden(log: Uint8Array, secrets: Uint8Array[]): Uint8Array {
  const out = log.slice();
  for (const secret of secrets) {
    for (let at = 0; at + secret.length <= log.length; at += 1) {
      if (Buffer.from(log.subarray(at, at + secret.length)).equals(secret))
        out.fill(42, at, at + secret.length);
    }
  }
  return out;
}

const letters = (min: number, max: number) =>
  fc.array(fc.constantFrom("a", "b", "c"), { minLength: min, maxLength: max }).map((parts) => parts.join(""));

test("[L27] a secret is hidden whole, and nothing else, however the log is cut and however far it is known", () => {
  fc.assert(
    fc.property(
      letters(0, 80),
      fc.array(letters(4, 8), { minLength: 1, maxLength: 3 }),
      fc.record({
        pieces: fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 6 }),
        known: fc.array(fc.nat(80), { maxLength: 8 }),
      }),
      (text, values, { pieces, known }) => {
        const log = new TextEncoder().encode(text);
        const secrets = secretsOf(values);
        const rising = known.toSorted((a, b) => a - b);
        expect(sent(log, secrets, { pieces, known: rising })).toEqual(hidden(log, secrets));
      },
    ),
    { numRuns: 3000 },
  );
});

test("[L27] every split of a log around a secret hides it, and nothing of it leaves early", () => {
  const secrets = secretsOf(["hunter2-hunter2"]);
  const log = new TextEncoder().encode("x hunter2-hunter2-hunter2 y");
  const expected = new TextEncoder().encode("x *********************** y");
  for (let cut = 0; cut <= log.length; cut += 1) {
    expect(sent(log, secrets, { pieces: [Math.max(1, cut), 100], known: [cut] })).toEqual(expected);
  }
});

test("[L27] short values are not looked for, lines of a longer one each are", () => {
  const text = (secrets: Uint8Array[]) => secrets.map((secret) => Buffer.from(secret).toString());
  expect(text(secretsOf(["abc", "", "-----BEGIN-----\r\nMIIEvQ==\n  \n", "MIIEvQ=="]))).toEqual([
    "-----BEGIN-----",
    "MIIEvQ==",
  ]);
});
