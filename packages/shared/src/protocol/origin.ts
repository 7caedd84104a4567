/** Addresses of control planes, as both ends of the link compare and sign them. */

/** @returns `scheme://host[:port]` in the one spelling that is signed, or null when it is not an http(s) address. */
export function parseServerOrigin(text: string): string | null {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    return null;
  }
  if (url.protocol !== "https:" && url.protocol !== "http:") return null;
  if (url.username !== "" || url.password !== "" || url.hostname === "") return null;
  return url.origin;
}

/** Plain http carries no proof of who answers, so it is for this machine only. */
export function isLoopbackOrigin(origin: string): boolean {
  const host = new URL(origin).hostname;
  return host === "localhost" || host === "[::1]" || /^127(\.\d{1,3}){3}$/.test(host);
}
