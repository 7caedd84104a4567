/**
 * Signing in and out, the only routes that serve people who are not signed in. Paths under `/api/auth`:
 *   GET  state       → { hasOwner, signedIn }; renews the cookie when it is due
 *   POST sign-in     { email, password }
 *   POST link        { link } the secret of a one-time link, out of the page's URL fragment
 *   POST password    { newPassword, currentPassword? } for the signed in
 *   POST sign-out
 * Each POST answers `{ ok: true }` and sets cookies, or `{ error: { message, data } }`. Owns the counts of tries: by address, which
 * stops one guesser, and by e-mail, which stops many. Refuses every POST that a page of ours did not make.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { NexusError } from "@nexus/shared/errors";
import * as z from "zod";
import type { AccessServices } from "../services/access/access-services.ts";
import type { Accounts } from "../services/access/accounts.ts";
import type { Authenticator } from "../services/access/authenticator.ts";
import { readCredentials } from "../services/access/credentials.ts";
import { secretHash } from "../services/access/secret-hash.ts";
import type { Clock, EventBus } from "../services/ports.ts";
import { type AttemptLimit, createAttemptLimit } from "./http/attempt-limit.ts";
import { readJson } from "./http/read-json.ts";
import { sendJson } from "./http/send-json.ts";

export type AuthRoutesOptions = {
  accounts: Accounts;
  access: AccessServices;
  authenticator: Authenticator;
  events: EventBus;
  clock: Clock;
};

export type AuthRoutes = (req: IncomingMessage, res: ServerResponse, route: string) => Promise<void>;

const TRIES_WINDOW_MS = 60_000;
const TRIES_PER_ADDRESS_MAX = 20;
const TRIES_PER_EMAIL_MAX = 10;

const signInSchema = z.object({ email: z.email().max(320), password: z.string().min(1).max(1000) });
/** A link that lost its end, or took on the text around it, is a link that does not work; it is not told what it must look like. */
const linkSchema = z.object({ link: z.string().max(1000) });
const passwordSchema = z.object({
  newPassword: z.string().max(1000),
  currentPassword: z.string().max(1000).optional(),
});

export function createAuthRoutes(options: AuthRoutesOptions): AuthRoutes {
  const { accounts, access, authenticator, events, clock } = options;
  const byAddress = createAttemptLimit({ triesMax: TRIES_PER_ADDRESS_MAX, windowMs: TRIES_WINDOW_MS });
  const byEmail = createAttemptLimit({ triesMax: TRIES_PER_EMAIL_MAX, windowMs: TRIES_WINDOW_MS });

  type Handler = (
    req: IncomingMessage,
    headers: Headers,
  ) => Promise<{ setCookies?: string[]; body?: object }>;
  const handlers: Record<string, Handler> = {
    "GET state": async (_req, headers) => {
      const [hasOwner, renewed] = await Promise.all([access.hasOwner(), accounts.refresh(headers)]);
      return {
        body: { hasOwner, signedIn: renewed !== null },
        setCookies: renewed?.setCookies ?? [],
      };
    },
    "POST sign-in": async (req, headers) => {
      take(byAddress, addressOf(req));
      const { email, password } = await readJson(req, signInSchema);
      const subject = email.toLowerCase();
      take(byEmail, subject);
      const signedIn = await accounts.signIn({ email, password, headers });
      byEmail.clear(subject);
      return signedIn;
    },
    "POST link": async (req, headers) => {
      take(byAddress, addressOf(req));
      const { link } = await readJson(req, linkSchema);
      return await accounts.openSession(await access.redeemSignInLink(link), headers);
    },
    "POST password": async (req) => {
      const caller = await authenticator.authenticate(readCredentials(req.headers));
      // The present password is guessable here as well as at the sign-in.
      take(byEmail, secretHash(caller.principal.userId));
      await access.changePassword(caller, await readJson(req, passwordSchema));
      return {};
    },
    "POST sign-out": async (req, headers) => {
      const caller = await authenticator.authenticate(readCredentials(req.headers)).catch(onlyRefused);
      const signedOut = await accounts.signOut(headers);
      if (caller) {
        const { teamId, userId } = caller.principal;
        events.emit("access", { teamId, userId });
      }
      return signedOut;
    },
  };

  function take(limit: AttemptLimit, subject: string): void {
    const waitMs = limit.take(subject, clock.nowMs());
    if (waitMs === 0) return;
    throw new NexusError("rate_limited", {
      detail: `Too many tries. Try again in ${Math.ceil(waitMs / 1000)} s.`,
      retryAfterMs: waitMs,
    });
  }

  return async (req, res, route) => {
    const handler = Object.hasOwn(handlers, `${req.method} ${route}`)
      ? handlers[`${req.method} ${route}`]
      : undefined;
    if (!handler)
      throw new NexusError("not_found", { detail: `There is no ${req.method} /api/auth/${route}.` });
    const { body = { ok: true }, setCookies = [] } = await handler(req, sessionHeaders(req));
    if (setCookies.length > 0) res.setHeader("set-cookie", setCookies);
    sendJson(res, 200, body);
  };
}

/** Who is not signed in may sign out. */
function onlyRefused(cause: unknown): null {
  if (cause instanceof NexusError) return null;
  throw cause;
}

/** What the accounts need of a request, and no more. */
function sessionHeaders(req: IncomingMessage): Headers {
  const headers = new Headers();
  if (req.headers.cookie) headers.set("cookie", req.headers.cookie);
  if (req.headers["user-agent"]) headers.set("user-agent", req.headers["user-agent"]);
  return headers;
}

function addressOf(req: IncomingMessage): string {
  return req.socket.remoteAddress ?? "unknown";
}
