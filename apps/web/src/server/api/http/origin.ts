import type { IncomingHttpHeaders } from "node:http";
import { isIP } from "node:net";

const READING_METHODS = new Set(["GET", "HEAD", "OPTIONS"]);

/**
 * Whether a page of ours made this request. A browser sends the Origin of the page with every POST and every socket, and
 * scripts cannot forge it. `own` are our addresses. The Host is what the browser dialled, so an equal one means that the page
 * came from here too (through a forwarded port, say), but only where its name cannot be made to lead here by others: an
 * address, localhost, or a name of ours. Absent and opaque ("null") Origins are foreign.
 */
export function isOwnOrigin(headers: IncomingHttpHeaders, own: readonly string[]): boolean {
  const { origin, host } = headers;
  if (!origin || !host || !URL.canParse(origin)) return false;
  const url = new URL(origin);
  if (url.protocol !== "http:" && url.protocol !== "https:") return false;
  if (own.includes(url.origin)) return true;
  return url.host === host.toLowerCase() && isOurName(url.hostname, own);
}

function isOurName(name: string, own: readonly string[]): boolean {
  if (name === "localhost" || isIP(name.replace(/^\[|\]$/g, "")) !== 0) return true;
  return own.some((origin) => new URL(origin).hostname === name);
}

/** Reading is harmless across sites, since the answer cannot be read there; all else must come from a page of ours. */
export function isReadingMethod(method: string | undefined): boolean {
  return READING_METHODS.has(method ?? "");
}
