import { createPlaces, type Places } from "../core/places.ts";

/** What the API holds for its callers at once; see docs/spec/limits.md. */
export type ApiLimits = {
  /** Calls that are not answered yet, by HTTP and by socket. */
  calls: Places;
  /** Followed logs, downloads, searches, and live sockets, those of tunnels too. */
  streams: Places;
  /** Connections to services of machines; each may hold two windows. */
  tunnels: Places;
  bodies: BodyBudget;
};

export type BodyBudget = {
  /** @returns gives them back; null when they do not fit. */
  take(bytes: number): (() => void) | null;
};

export type ApiLimitsOptions = {
  calls?: { totalMax: number; personMax: number };
  streams?: { totalMax: number; personMax: number };
  tunnels?: { totalMax: number; personMax: number };
  bodyBytesMax?: number;
};

/** Ten connections to the database answer so many within a second or two. */
const CALLS = { totalMax: 1_000, personMax: 500 };
/** At most 256 KiB of a log each, most of them idle. */
const STREAMS = { totalMax: 4_000, personMax: 2_000 };
/** 512 KiB each way at the worst, when nobody reads: 1 GiB of them all. */
const TUNNELS = { totalMax: 1_000, personMax: 250 };
/** Bodies that are being read or worked on; a body grows to some ten times its size as objects. */
const BODY_BYTES_MAX = 64 * 1024 * 1024;
const RETRY_AFTER_MS = 1_000;

export function createApiLimits(options: ApiLimitsOptions = {}): ApiLimits {
  const { calls = CALLS, streams = STREAMS, tunnels = TUNNELS, bodyBytesMax = BODY_BYTES_MAX } = options;
  let bodyBytes = 0;
  return {
    calls: createPlaces({ what: "calls", ...calls, retryAfterMs: RETRY_AFTER_MS }),
    streams: createPlaces({ what: "streams", ...streams, retryAfterMs: RETRY_AFTER_MS }),
    tunnels: createPlaces({ what: "tunnels", ...tunnels, retryAfterMs: RETRY_AFTER_MS }),
    bodies: {
      take(bytes) {
        if (bodyBytes + bytes > bodyBytesMax) return null;
        bodyBytes += bytes;
        return () => {
          bodyBytes -= bytes;
        };
      },
    },
  };
}
