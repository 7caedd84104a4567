/**
 * Every HTTP route of the API, before Next: `/api/trpc`, `/api/auth` and the raw logs. The one place where a request's origin is
 * judged. Refuses what changes something and shows no key, unless a page of ours made it: cookies alone prove a browser, not a will.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { NexusError } from "@nexus/shared/errors";
import { createHTTPHandler } from "@trpc/server/adapters/standalone";
import type { Accounts } from "../services/access/accounts.ts";
import type { Authenticator } from "../services/access/authenticator.ts";
import { readCredentials } from "../services/access/credentials.ts";
import { createAuthRoutes } from "./auth-routes.ts";
import type { ApiParts } from "./context.ts";
import { isConfidential } from "./http/is-confidential.ts";
import { isOwnOrigin, isReadingMethod } from "./http/origin.ts";
import { sendRefusal } from "./http/send-json.ts";
import { createLogRoute } from "./log-route.ts";
import { createLogSearchRoute } from "./log-search-route.ts";
import { toRefusal } from "./refusal.ts";
import { appRouter } from "./router.ts";

const TRPC_PATH = "/api/trpc/";
const AUTH_PATH = "/api/auth/";
const LOG_PATH = /^\/api\/v1\/jobs\/([^/]+)\/log(\/search)?$/;
/** A thousand jobs with long commands fit; nobody fills the memory. */
const TRPC_BODY_BYTES_MAX = 16 * 1024 * 1024;
const TRPC_BATCH_MAX = 50;
const BODY_RETRY_MS = 1_000;
/** Their input may hold secrets (a job's environment, an inventory's passwords), and a query's input would stand in the URL: only POST for these. */
const BODY_ONLY = new Set(["jobs.preview", "ssh.readHosts"]);

export type HttpApiOptions = {
  parts: ApiParts;
  accounts: Accounts;
  authenticator: Authenticator;
  /** Origins besides the request's own host under which a proxy shows the dashboard. */
  origins: readonly string[];
};

/** @returns false when the request is not for the API. */
export type HttpApi = (req: IncomingMessage, res: ServerResponse) => boolean;

export function createHttpApi(options: HttpApiOptions): HttpApi {
  const { parts, accounts, authenticator, origins } = options;
  const authRoutes = createAuthRoutes({
    accounts,
    authenticator,
    access: parts.access,
    events: parts.services.events,
    clock: parts.clock,
  });
  const logRoute = createLogRoute(parts);
  const logSearchRoute = createLogSearchRoute(parts);
  const trpc = createHTTPHandler({
    router: appRouter,
    basePath: TRPC_PATH,
    maxBodySize: TRPC_BODY_BYTES_MAX,
    maxBatchSize: TRPC_BATCH_MAX,
    allowMethodOverride: true,
    createContext: ({ req }) => ({
      ...parts,
      authenticate: async () => await authenticator.authenticate(readCredentials(req.headers)),
      isConfidential: isConfidential(req),
      bufferedBytes: () => 0,
    }),
  });

  return (req, res) => {
    const url = URL.parse(req.url ?? "", "http://host");
    const route = url && routeOf(url);
    if (!url || !route) return false;
    answer(req, res, { url, route }).catch((cause: unknown) => {
      sendRefusal(res, toRefusal(cause, parts));
    });
    return true;
  };

  async function answer(
    req: IncomingMessage,
    res: ServerResponse,
    { url, route }: { url: URL; route: Route },
  ): Promise<void> {
    refuseForeign(req, origins);
    switch (route.kind) {
      case "trpc":
        refuseSecretsInUrl(url, route.names);
        refuseMany(route.names.length);
        holdBody(req, res);
        trpc(req, res);
        return;
      case "auth":
        await authRoutes(req, res, route.path);
        return;
      case "log": {
        if (route.isSearch && req.method !== "POST")
          throw new NexusError("bad_request", { detail: "A log is searched by POST." });
        if (!route.isSearch && !isReadingMethod(req.method))
          throw new NexusError("bad_request", { detail: "Logs are read by GET." });
        const credentials = readCredentials(req.headers);
        const { principal } = await authenticator.authenticate(credentials);
        const leave = parts.limits.streams.enter(principal.userId);
        if (res.closed) leave();
        else res.once("close", leave);
        const request = {
          job: route.job,
          query: url.searchParams,
          principal,
          async recheck() {
            await authenticator.authenticate(credentials);
          },
          onAccessChange: (listener: () => void) =>
            parts.services.events.on("access", ({ userId }) => {
              if (userId === principal.userId) listener();
            }),
        };
        await (route.isSearch ? logSearchRoute : logRoute)(req, res, request);
      }
    }
  }

  /** What waits for a slow database must not fill the memory with its bodies. */
  function holdBody(req: IncomingMessage, res: ServerResponse): void {
    const { "content-length": length, "transfer-encoding": encoding } = req.headers;
    const bytes = encoding === undefined ? Number(length ?? 0) : TRPC_BODY_BYTES_MAX;
    const giveBack = parts.limits.bodies.take(Math.min(bytes, TRPC_BODY_BYTES_MAX));
    if (giveBack === null) {
      throw new NexusError("unavailable", {
        detail: "Many large requests are being worked on just now. Send yours again.",
        retryAfterMs: BODY_RETRY_MS,
      });
    }
    res.once("close", giveBack);
  }
}

type Route =
  | { kind: "trpc"; names: string[] }
  | { kind: "auth"; path: string }
  | { kind: "log"; job: string; isSearch: boolean };

function routeOf({ pathname }: URL): Route | null {
  if (pathname.startsWith(TRPC_PATH)) {
    return { kind: "trpc", names: pathname.slice(TRPC_PATH.length).split(",") };
  }
  if (pathname.startsWith(AUTH_PATH)) return { kind: "auth", path: pathname.slice(AUTH_PATH.length) };
  const [, job, search] = LOG_PATH.exec(pathname) ?? [];
  return job === undefined ? null : { kind: "log", job, isSearch: search !== undefined };
}

function refuseForeign(req: IncomingMessage, origins: readonly string[]): void {
  if (isReadingMethod(req.method) || req.headers.authorization !== undefined) return;
  if (isOwnOrigin(req.headers, origins)) return;
  throw new NexusError("forbidden", {
    detail: `This request did not come from a page of this server (Origin ${req.headers.origin ?? "absent"}). If people reach it under that address, set NEXUS_PUBLIC_URL to it.`,
  });
}

/** In a sentence that names the limit; what counts the calls behind us has none. */
function refuseMany(calls: number): void {
  if (calls <= TRPC_BATCH_MAX) return;
  throw new NexusError("bad_request", {
    detail: `A request has at most ${TRPC_BATCH_MAX} calls, this one has ${calls}. Send them in several.`,
  });
}

function refuseSecretsInUrl({ searchParams }: URL, names: string[]): void {
  if (!searchParams.has("input") || !names.some((name) => BODY_ONLY.has(name))) return;
  throw new NexusError("bad_request", {
    detail: `${names.join(", ")}: send the input in the body of a POST.`,
  });
}
