import type { Json } from "../engine/mutate-json.ts";

/** Inputs that are scripts: what one end of a socket does, step by step. */
export type Script = { begin: string; steps: Step[] };
export type Step = { [key: string]: Json };

const STEPS_MAX = 60;
const TIMES_MAX = 500;

/** Null for what is none: the order to the test itself is not what is tested. */
export function scriptOf(input: Uint8Array): Script | null {
  try {
    const given: Json = JSON.parse(Buffer.from(input).toString());
    if (!isObject(given) || !Array.isArray(given.steps)) return null;
    const { begin, steps } = given;
    return {
      begin: typeof begin === "string" ? begin : "",
      steps: steps.filter(isObject).slice(0, STEPS_MAX),
    };
  } catch {
    return null;
  }
}

export function timesOf({ times }: Step): number {
  return typeof times === "number" ? Math.min(Math.max(1, times), TIMES_MAX) : 1;
}

export type Names = Record<string, string | number>;

/** The frame that a step sends: `bytes` as they are, or `send` as a header with its `payload`. */
export function frameOf(step: Step, names: Names): Uint8Array | null {
  if (typeof step.bytes === "string") return Buffer.from(step.bytes, "latin1");
  if (!("send" in step)) return null;
  const header = Buffer.from(JSON.stringify(named(step.send ?? null, names)));
  const length = Buffer.alloc(4);
  length.writeUInt32BE(header.length);
  return Buffer.concat([length, header, Buffer.from(String(step.payload ?? ""))]);
}

/** Numbers of a step, where they are some. */
export function countsOf<K extends string>(
  step: Json | undefined,
  keys: readonly K[],
): Partial<Record<K, number>> {
  const given = isObject(step ?? null) ? (step as Step) : {};
  const found = keys.flatMap((key) => (typeof given[key] === "number" ? [[key, given[key]] as const] : []));
  return Object.fromEntries(found) as Partial<Record<K, number>>;
}

/** `$running` and the like become what they stand for; one that is a number becomes a number where it stands alone. */
function named(value: Json, names: Names): Json {
  if (typeof value === "string") {
    const word = value.slice(1);
    if (value.startsWith("$") && Object.hasOwn(names, word)) return names[word] ?? null;
    return value.replace(/\$([a-zA-Z0-9]+)/g, (whole, inner) =>
      Object.hasOwn(names, inner) ? String(names[inner]) : whole,
    );
  }
  if (typeof value !== "object" || value === null) return value;
  // With `__proto__` as a key like any other.
  return JSON.parse(JSON.stringify(value), (_key, inner) =>
    typeof inner === "string" ? named(inner, names) : inner,
  );
}

function isObject(value: Json): value is Step {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
