import type { IncomingHttpHeaders } from "node:http";

const READING_METHODS = new Set(["GET", "HEAD", "OPTIONS"]);

/**
 * Whether a page of ours made this request. A browser sends the Origin of the page with every POST and every socket, and
 * scripts cannot forge it; the Host is what the browser dialled. Equal hosts mean that the page came from here. `own` adds
 * the addresses under which a proxy shows us. Absent and opaque ("null") Origins are foreign.
 */
export function isOwnOrigin(headers: IncomingHttpHeaders, own: readonly string[]): boolean {
  const { origin, host } = headers;
  if (!origin || !host || !URL.canParse(origin)) return false;
  const url = new URL(origin);
  if (url.protocol !== "http:" && url.protocol !== "https:") return false;
  return url.host === host.toLowerCase() || own.includes(url.origin);
}

/** Reading is harmless across sites, since the answer cannot be read there; all else must come from a page of ours. */
export function isReadingMethod(method: string | undefined): boolean {
  return READING_METHODS.has(method ?? "");
}
