import type { IncomingHttpHeaders } from "node:http";
import { NexusError } from "@nexus/shared/errors";

/** What a request shows to prove who makes it, not verified yet. A key wins over a cookie, so that scripts never lean on one. */
export type Credentials =
  | { kind: "key"; secret: string; team: string | null }
  | { kind: "cookie"; cookie: string; team: string | null };

const BEARER = /^Bearer +(\S+)$/i;
const TEAM_HEADER = "x-nexus-team";

/** @returns null when the request shows nothing. */
export function readCredentials(headers: IncomingHttpHeaders): Credentials | null {
  const team = headers[TEAM_HEADER];
  if (Array.isArray(team)) throw new NexusError("bad_request", { detail: `${TEAM_HEADER} is given twice.` });
  if (headers.authorization !== undefined) {
    const secret = BEARER.exec(headers.authorization)?.[1];
    if (!secret) throw new NexusError("unauthenticated", { detail: "Send `authorization: Bearer <key>`." });
    return { kind: "key", secret, team: team ?? null };
  }
  if (headers.cookie) return { kind: "cookie", cookie: headers.cookie, team: team ?? null };
  return null;
}
