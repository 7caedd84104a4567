import type { Json } from "./mutate-json.ts";

/** What is fed with inputs, and what one input may cost. A thrown error or a rejected promise is a finding. */
export type FuzzTarget = {
  name: string;
  /** `json` inputs are changed as data and now and then as text; `text` and `bytes` as they are. */
  format: "bytes" | "text" | "json";
  /** Good inputs that the others are made from; those in the corpus come on top. */
  seeds: readonly (string | Uint8Array | Json)[];
  /** Words of the format, put in as they are. */
  words?: readonly string[];
  bytesMax: number;
  limits: InputLimits;
  open(): Promise<OpenTarget>;
  /** It is opened anew after so many inputs, for what only grows: rows, logs, connections. */
  inputsPerOpen?: number;
};

export type InputLimits = {
  /** One input may take so much of the processor. */
  timeMs: number;
  /** And leave the heap larger by so much. */
  heapBytes: number;
};

export type OpenTarget = {
  /** Judges one input by throwing. A target that answers at once is stopped in its midst when it takes too long. */
  feed(input: Uint8Array): void | Promise<void>;
  close(): Promise<void>;
};

/** Thrown by a target that saw a promise broken: what was promised, and what came. */
export class BrokenPromise extends Error {
  override name = "BrokenPromise";
}

const MIB = 1024 * 1024;

/** A text or frame of at most a MiB is read within a second and a quarter of a GiB, or it is refused. */
const PARSER_LIMITS: InputLimits = { timeMs: 1_000, heapBytes: 256 * MIB };
/** Over sockets and Postgres, on a machine that others use too. */
export const SERVICE_LIMITS: InputLimits = { timeMs: 2_000, heapBytes: 256 * MIB };

/** A target of plain functions: no world to open, and `feed` answers at once. */
export function parserTarget(
  target: Omit<FuzzTarget, "open" | "limits" | "bytesMax"> & {
    bytesMax?: number;
    feed(input: Uint8Array): void;
  },
): FuzzTarget {
  const { feed, ...rest } = target;
  return {
    bytesMax: MIB,
    ...rest,
    limits: PARSER_LIMITS,
    open: async () => ({ feed, close: async () => undefined }),
  };
}
