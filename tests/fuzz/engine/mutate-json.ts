import type { SeededRandom } from "../../chaos/seeded-random.ts";

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

export type JsonMutation = { random: SeededRandom; words: readonly string[]; other: Json };

const ODD_NUMBERS = [
  0,
  -0,
  -1,
  0.5,
  1e-7,
  255,
  65_536,
  2 ** 31 - 1,
  2 ** 31,
  2 ** 32,
  2 ** 53 - 1,
  2 ** 53,
  -(2 ** 53),
  8.64e15,
  8.64e15 + 1,
  1e21,
  1e308,
  -1e308,
];
const ODD_STRINGS = [
  "",
  " ",
  "\0",
  "a\0b",
  "\ud800",
  "a\udfff",
  "\u202e",
  "\ud83d\ude00",
  "e\u0301",
  "\r\n",
  "'",
  '"',
  "%",
  "%00",
  "../..",
  "null",
  "me",
  "__proto__",
  "constructor",
  "toString",
  "a".repeat(80),
  "a".repeat(5_000),
  "\ufeff",
  "1e999",
  "-1",
  "$(x)",
  "\\",
];
const ODD_KEYS = [
  "__proto__",
  "constructor",
  "prototype",
  "toString",
  "hasOwnProperty",
  "then",
  "",
  "\0",
  "length",
  "type",
];
const DEPTHS = [10, 500, 5_000];
const COPIES_MAX = 50;
const STACK_MAX = 3;

/** A few changes to one value in the tree each: another kind, an odd number or text, a key too much or too few, deep nests. */
export function mutateJson(input: Json, mutation: JsonMutation): Json {
  let value = structuredClone(input);
  for (let left = mutation.random.int(1, STACK_MAX); left > 0; left -= 1) value = changeOne(value, mutation);
  return value;
}

type Place = { get(): Json; set(value: Json): void; drop(): void };

function changeOne(root: Json, mutation: JsonMutation): Json {
  const top: { root: Json } = { root };
  const places: Place[] = [
    {
      get: () => top.root,
      set: (value) => {
        top.root = value;
      },
      drop: () => {
        top.root = null;
      },
    },
  ];
  collect(root, places);
  // The root itself is one place of many, and the dullest to change.
  const place = mutation.random.pick(
    places.length > 1 && mutation.random.int(0, 9) > 0 ? places.slice(1) : places,
  );
  change(place, mutation);
  return top.root;
}

function collect(value: Json, places: Place[]): void {
  if (typeof value !== "object" || value === null || places.length > 500) return;
  const holder = value as Record<string, Json>;
  for (const key of Object.keys(holder)) {
    places.push({
      get: () => holder[key] ?? null,
      set: (changed) => define(holder, key, changed),
      drop: () => {
        if (Array.isArray(holder)) holder.splice(Number(key), 1);
        else delete holder[key];
      },
    });
    collect(holder[key] ?? null, places);
  }
}

function change(place: Place, { random, words, other }: JsonMutation): void {
  const value = place.get();
  const inside = typeof value === "object" && value !== null;
  switch (random.int(0, 8)) {
    case 0:
      place.drop();
      return;
    case 1:
      place.set(random.pick(ODD_NUMBERS));
      return;
    case 2:
      place.set(random.pick([...ODD_STRINGS, ...words]));
      return;
    case 3:
      place.set(random.pick<Json>([null, true, false, [], {}, [[]], { length: 1 }]));
      return;
    case 4:
      place.set(partOf(other, random));
      return;
    case 5: {
      if (typeof value === "string") {
        place.set(changedText(value, random, words));
        return;
      }
      if (typeof value === "number") {
        place.set(random.pick([value + 1, value - 1, -value, value * 2 ** 16, value / 3]));
        return;
      }
      place.set([value]);
      return;
    }
    case 6: {
      if (Array.isArray(value)) {
        place.set(
          value.concat(...Array.from({ length: random.int(1, COPIES_MAX) }, () => value.slice(0, 3))),
        );
        return;
      }
      if (inside) {
        define(value as Record<string, Json>, random.pick([...ODD_KEYS, ...words]), partOf(other, random));
        return;
      }
      place.set(nested(random.pick(DEPTHS), value));
      return;
    }
    default:
      place.set(
        typeof value === "string"
          ? changedText(value, random, words)
          : random.pick([...ODD_STRINGS, ...words]),
      );
      return;
  }
}

function changedText(text: string, random: SeededRandom, words: readonly string[]): string {
  const at = random.int(0, text.length);
  const odd = random.pick([...ODD_STRINGS, ...words]);
  return random.pick([
    text.slice(0, at) + odd + text.slice(at),
    text.slice(0, at) + odd + text.slice(at + odd.length),
    text.slice(0, at),
    text.toUpperCase(),
    text + text,
  ]);
}

function partOf(value: Json, random: SeededRandom): Json {
  let part = value;
  while (typeof part === "object" && part !== null && random.int(0, 3) > 0) {
    const inner = Object.values(part);
    if (inner.length === 0) break;
    part = random.pick(inner);
  }
  return structuredClone(part);
}

function nested(depth: number, value: Json): Json {
  let nest = value;
  for (let left = depth; left > 0; left -= 1) nest = [nest];
  return nest;
}

/** Also `__proto__` becomes a key like any other, as JSON.parse makes it. */
function define(holder: Record<string, Json>, key: string, value: Json): void {
  Object.defineProperty(holder, key, { value, enumerable: true, configurable: true, writable: true });
}
