import type { IncomingMessage } from "node:http";
import type { TLSSocket } from "node:tls";
import { isLoopbackOrigin } from "@nexus/shared/protocol/origin";

/**
 * Whether what the caller sent was readable on no wire. A browser says under which address it sees the page, through whatever proxies;
 * others come by TLS, by a proxy that says so, or from this machine. It protects callers from themselves: nobody gains by lying.
 */
export function isConfidential({ headers, socket }: IncomingMessage): boolean {
  const { origin, "x-forwarded-proto": forwarded } = headers;
  if (origin !== undefined && URL.canParse(origin)) {
    const page = new URL(origin);
    return page.protocol === "https:" || isLoopbackOrigin(page.origin);
  }
  if ((socket as Partial<TLSSocket>).encrypted === true) return true;
  if (forwarded !== undefined) return String(forwarded).split(",")[0]?.trim() === "https";
  return /^(?:::ffff:)?127\.|^::1$/.test(socket.remoteAddress ?? "");
}
