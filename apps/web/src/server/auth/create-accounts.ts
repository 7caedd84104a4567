/**
 * Accounts: passwords, sessions and their cookies, by better-auth. Its own HTTP routes are not served; `api/auth-routes.ts`
 * offers the few operations below, so there is one list of what can be done without being signed in. Teams, roles and keys
 * are ours (docs/adr/0002-own-teams-and-keys.md).
 */
import { NexusError } from "@nexus/shared/errors";
import { newId } from "@nexus/shared/ids";
import { betterAuth } from "better-auth";
import { drizzleAdapter } from "better-auth/adapters/drizzle";
import type { Database } from "../db/database.ts";
import { account, session, user, verification } from "../db/schema/user.ts";
import type { Accounts, SetCookies } from "../services/access/accounts.ts";
import type { RandomBytes } from "../services/ports.ts";
import { openSessionPlugin } from "./open-session.ts";

const SESSION_S = 30 * 86_400;
const SESSION_REFRESH_S = 86_400;
const PASSWORD_CHARS_MIN = 10;
/** The hash runs over all of it, so its length is bounded. */
const PASSWORD_CHARS_MAX = 200;

export type AccountsOptions = {
  db: Database;
  /** Signs the cookies. Whoever changes it signs everybody out. */
  secret: string;
  /** Where people reach the dashboard; https makes the cookies secure. */
  url: string;
  randomBytes: RandomBytes;
  onProblem: (message: string) => void;
};

export function createAccounts(options: AccountsOptions): Accounts {
  const auth = createBetterAuth(options);
  return {
    async sessionToken(cookie) {
      const found = await auth.api.getSession({
        headers: new Headers({ cookie }),
        query: { disableRefresh: true },
      });
      return found?.session.token ?? null;
    },

    async refresh(headers) {
      const response = await auth.api.getSession({ headers, asResponse: true });
      const found: unknown = await response.json();
      return found === null ? null : setCookies(response);
    },

    async signIn({ email, password, headers }) {
      const response = await auth.api.signInEmail({ body: { email, password }, headers, asResponse: true });
      if (!response.ok) {
        throw new NexusError("unauthenticated", { detail: "The e-mail address or the password is wrong." });
      }
      return setCookies(response);
    },

    async openSession(userId, headers) {
      const response = await auth.api.openSession({ body: { userId }, headers, asResponse: true });
      const { opened }: { opened: boolean } = await response.json();
      if (!opened) throw new NexusError("unauthenticated", { detail: "The account of this link is gone." });
      return setCookies(response);
    },

    async signOut(headers) {
      return setCookies(await auth.api.signOut({ headers, asResponse: true }));
    },

    async setPassword({ userId, newPassword, currentPassword }) {
      if (newPassword.length < PASSWORD_CHARS_MIN || newPassword.length > PASSWORD_CHARS_MAX) {
        throw new NexusError("bad_request", {
          detail: `A password has ${PASSWORD_CHARS_MIN} to ${PASSWORD_CHARS_MAX} characters.`,
        });
      }
      const { internalAdapter, password } = await auth.$context;
      const credential = await internalAdapter.findCredentialAccount(userId);
      const isCurrent =
        !credential?.password ||
        currentPassword === null ||
        (await password.verify({ hash: credential.password, password: currentPassword }));
      if (!isCurrent) throw new NexusError("forbidden", { detail: "The present password is wrong." });
      const hash = await password.hash(newPassword);
      if (credential) await internalAdapter.updateAccount(credential.id, { password: hash });
      else {
        const providerId = "credential";
        await internalAdapter.linkAccount({ userId, providerId, accountId: userId, password: hash });
      }
    },
  };
}

function createBetterAuth(options: AccountsOptions) {
  const url = new URL(options.url);
  return betterAuth({
    appName: "Nexus",
    baseURL: url.origin,
    secret: options.secret,
    database: drizzleAdapter(options.db, {
      provider: "pg",
      schema: { user, session, account, verification },
    }),
    emailAndPassword: {
      enabled: true,
      disableSignUp: true,
      minPasswordLength: PASSWORD_CHARS_MIN,
      maxPasswordLength: PASSWORD_CHARS_MAX,
    },
    session: {
      expiresIn: SESSION_S,
      updateAge: SESSION_REFRESH_S,
      additionalFields: { openedBy: { type: "string", required: false, input: false } },
    },
    plugins: [openSessionPlugin()],
    advanced: {
      // Cookies are shared by all ports of a host: two servers on one machine must not sign each other's people out.
      cookiePrefix: url.port === "" ? "nexus" : `nexus-${url.port}`,
      useSecureCookies: url.protocol === "https:",
      defaultCookieAttributes: { httpOnly: true, sameSite: "lax" },
      database: {
        generateId: ({ model }) => newId(model === "user" ? "user" : "session", options.randomBytes),
      },
      // The address behind a proxy cannot be known without naming the proxy.
      ipAddress: { disableIpTracking: true },
    },
    // `api/auth-routes.ts` limits tries, by address and by e-mail.
    rateLimit: { enabled: false },
    telemetry: { enabled: false },
    logger: {
      level: "error",
      log: (level, message) => options.onProblem(`accounts: ${level}: ${message}`),
    },
  });
}

function setCookies(response: Response): SetCookies {
  return { setCookies: response.headers.getSetCookie() };
}
