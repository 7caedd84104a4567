import type { SeededRandom } from "../../chaos/seeded-random.ts";

export type ByteMutation = {
  random: SeededRandom;
  words: readonly string[];
  /** Another input to take a part from. */
  other: Uint8Array;
  bytesMax: number;
};

const ODD_BYTES = [0, 1, 9, 10, 13, 27, 32, 34, 39, 44, 58, 61, 91, 92, 93, 127, 128, 192, 237, 255];
const ODD_TEXTS = [
  "\0",
  "\ufffd",
  "\ud83d\ude00",
  "%00",
  "\\u0000",
  "__proto__",
  "constructor",
  "../",
  "1e999",
  "-1",
  "4294967296",
];
const STACK_MAX = 4;
/** One input in so many becomes long: that is where what is slow shows. */
const LONG_ONE_IN = 25;

/** A few changes one over the other: bits, bytes, cut, doubled, spliced, a word put in; now and then one part many times. */
export function mutateBytes(input: Uint8Array, mutation: ByteMutation): Uint8Array {
  const { random, bytesMax } = mutation;
  let bytes: Uint8Array = Uint8Array.from(input);
  for (let left = random.int(1, STACK_MAX); left > 0; left -= 1) bytes = change(bytes, mutation);
  if (random.int(1, LONG_ONE_IN) === 1) bytes = lengthen(bytes, mutation);
  return bytes.length > bytesMax ? bytes.subarray(0, bytesMax) : bytes;
}

function change(bytes: Uint8Array, { random, words, other }: ByteMutation): Uint8Array {
  const at = random.int(0, bytes.length);
  const until = Math.min(bytes.length, at + random.int(1, 16));
  switch (random.int(0, 7)) {
    case 0:
      return altered(bytes, at, (old) => old ^ (1 << random.int(0, 7)));
    case 1:
      return altered(bytes, at, () => random.pick(ODD_BYTES));
    case 2:
      return altered(bytes, at, () => random.int(0, 255));
    case 3:
      return joined(bytes.subarray(0, at), bytes.subarray(until));
    case 4:
      return joined(bytes.subarray(0, until), bytes.subarray(at));
    case 5: {
      const from = random.int(0, other.length);
      return joined(
        bytes.subarray(0, at),
        other.subarray(from, from + random.int(1, 64)),
        bytes.subarray(until),
      );
    }
    case 6: {
      const text = random.pick([...words, ...ODD_TEXTS]);
      return joined(
        bytes.subarray(0, at),
        Buffer.from(text),
        bytes.subarray(random.int(0, 1) === 0 ? at : until),
      );
    }
    default:
      return bytes.subarray(0, at);
  }
}

function lengthen(bytes: Uint8Array, { random, bytesMax }: ByteMutation): Uint8Array {
  const at = random.int(0, Math.max(0, bytes.length - 1));
  const part = Buffer.from(bytes.subarray(at, at + random.int(1, 12)));
  if (part.length === 0) return bytes;
  const room = bytesMax - bytes.length;
  if (room <= 0) return bytes;
  const whole = Buffer.alloc(random.pick([Math.min(room, 4096), room]), part);
  return joined(bytes.subarray(0, at), whole, bytes.subarray(at));
}

function altered(bytes: Uint8Array, at: number, to: (old: number) => number): Uint8Array {
  const copy = Uint8Array.from(bytes);
  if (at < copy.length) copy[at] = to(copy[at] ?? 0);
  return copy;
}

const joined = (...parts: Uint8Array[]): Uint8Array => Uint8Array.from(Buffer.concat(parts));
