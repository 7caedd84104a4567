/**
 * Turns credentials into the principal that acts. Owns two caches: signatures of cookies that were checked (a fact that does
 * not change, so only bounded in size), and callers, for `CALLER_FRESH_MS` at most, since they can lose their membership, role,
 * session or key. An `access` event drops the callers of its user at once; without one they are looked up again when old.
 * Invariants: only positive answers are kept, under the hash of the secret; nothing outlives its own expiry; an answer that was
 * under way when an `access` event came is given but not kept.
 * Refuses `unauthenticated` without valid proof and `forbidden` with proof but outside the team.
 */
import { NexusError } from "@nexus/shared/errors";
import { lesserRole } from "@nexus/shared/roles";
import type { Database } from "../../db/database.ts";
import { findKeyCaller } from "../../db/queries/find-key-caller.ts";
import { findSessionCaller } from "../../db/queries/find-session-caller.ts";
import { touchApiKey } from "../../db/queries/touch-api-key.ts";
import type { Clock, EventBus, Principal } from "../ports.ts";
import type { Accounts } from "./accounts.ts";
import type { Credentials } from "./credentials.ts";
import { secretHash } from "./secret-hash.ts";

/** A submit by key costs no query in this time. */
const CALLER_FRESH_MS = 5_000;
const CACHED_MAX = 10_000;
const KEY_TOUCH_MS = 60_000;

/** `via` names the session or the key, for the audit and for revoking the very one in use. */
export type Caller = { principal: Principal; via: { kind: "key" | "session"; id: string } };

export type Authenticator = {
  authenticate(credentials: Credentials | null): Promise<Caller>;
  close(): void;
};

export type AuthenticatorOptions = {
  db: Database;
  accounts: Accounts;
  events: EventBus;
  clock: Clock;
  onProblem: (message: string, cause: unknown) => void;
};

export function createAuthenticator(options: AuthenticatorOptions): Authenticator {
  const { db, accounts, events, clock, onProblem } = options;
  const callers = new Map<string, { caller: Caller; freshUntilMs: number }>();
  const tokens = new Map<string, string>();
  const touchedAtMs = new Map<string, number>();
  let changes = 0;
  const close = events.on("access", ({ userId }) => {
    changes += 1;
    for (const [key, { caller }] of callers) if (caller.principal.userId === userId) callers.delete(key);
  });

  return {
    async authenticate(credentials) {
      if (!credentials) throw new NexusError("unauthenticated");
      const secret = credentials.kind === "key" ? credentials.secret : credentials.cookie;
      const cacheKey = `${credentials.kind}:${secretHash(secret)}:${credentials.team ?? ""}`;
      const known = callers.get(cacheKey);
      if (known && clock.nowMs() < known.freshUntilMs) return known.caller;

      const changesSeen = changes;
      const found =
        credentials.kind === "key"
          ? await keyCaller(credentials.secret, credentials.team)
          : await sessionCaller(credentials.cookie, credentials.team);
      const freshUntilMs = Math.min(clock.nowMs() + CALLER_FRESH_MS, found.expiresAt?.getTime() ?? Infinity);
      if (changes === changesSeen) keep(callers, cacheKey, { caller: found.caller, freshUntilMs });
      return found.caller;
    },

    close,
  };

  async function keyCaller(secret: string, team: string | null) {
    const row = await findKeyCaller(db, secretHash(secret));
    if (!row) {
      throw new NexusError("unauthenticated", {
        detail: "This API key is unknown, revoked or expired. Sign in again with `nexus login`.",
      });
    }
    if (team !== null && team !== row.teamId) throw notInTeam(team);
    touch(row.keyId, row.lastUsedAt);
    const { userId, userName, teamId } = row;
    const role = row.keyRole === null ? row.role : lesserRole(row.role, row.keyRole);
    const caller: Caller = {
      principal: { userId, userName, teamId, role, roleMax: row.keyRole ?? undefined },
      via: { kind: "key", id: row.keyId },
    };
    return { caller, expiresAt: row.expiresAt };
  }

  async function sessionCaller(cookie: string, team: string | null) {
    const token = await sessionToken(cookie);
    const row = token === null ? null : await findSessionCaller(db, token, team);
    if (!row) throw new NexusError("unauthenticated");
    if (row.teamId === null || row.role === null) throw notInTeam(team);
    const { userId, userName, teamId, role, expiresAt } = row;
    const caller: Caller = {
      principal: { userId, userName, teamId, role },
      via: { kind: "session", id: row.sessionId },
    };
    return { caller, expiresAt };
  }

  /** The session's token out of the signed cookie. */
  async function sessionToken(cookie: string): Promise<string | null> {
    const cacheKey = secretHash(cookie);
    const known = tokens.get(cacheKey);
    if (known !== undefined) return known;
    const token = await accounts.sessionToken(cookie);
    if (token !== null) keep(tokens, cacheKey, token);
    return token;
  }

  function touch(keyId: string, lastUsedAt: Date | null): void {
    const nowMs = clock.nowMs();
    const lastMs = Math.max(touchedAtMs.get(keyId) ?? 0, lastUsedAt?.getTime() ?? 0);
    if (nowMs - lastMs < KEY_TOUCH_MS) return;
    keep(touchedAtMs, keyId, nowMs);
    touchApiKey(db, keyId).catch((cause: unknown) => onProblem("the use of an API key was not noted", cause));
  }
}

function notInTeam(team: string | null): NexusError {
  return new NexusError("forbidden", {
    detail:
      team === null ? "You are not a member of any team here." : `You are not a member of team ${team}.`,
  });
}

/** Oldest out first. */
function keep<V>(map: Map<string, V>, key: string, value: V): void {
  map.delete(key);
  map.set(key, value);
  if (map.size <= CACHED_MAX) return;
  const oldest = map.keys().next().value;
  if (oldest !== undefined) map.delete(oldest);
}
