/**
 * Everything the dashboard asks of the control plane, as one value. Typed by the contract in `shared`, so no server code and
 * not even its router type is needed here. Queries and mutations go over HTTP, subscriptions over one WebSocket a tab.
 * It owns the socket; it refuses nothing itself: every failure is thrown as it came, and `problemOf` makes words of it.
 */
import type { contract, InputOf, OutputOf, ProcedureName } from "@nexus/shared/api/contract";
import { createTRPCUntypedClient, httpBatchLink } from "@trpc/client";
import type { LogSource } from "../../ui/log-view/log-feed.ts";
import { type AuthApi, createAuthApi } from "./auth-api.ts";
import { createLiveSocket, type LiveSocket } from "./live-socket.ts";
import { createLogSource, logHref } from "./log-source.ts";

type OfKind<K extends string> = {
  [P in ProcedureName]: (typeof contract)[P]["kind"] extends K ? P : never;
}[ProcedureName];
export type QueryName = OfKind<"query">;
export type MutationName = OfKind<"mutation">;
export type SubscriptionName = OfKind<"subscription">;

export type Api = {
  query<P extends QueryName>(name: P, input: InputOf<P>, signal?: AbortSignal): Promise<OutputOf<P>>;
  mutate<P extends MutationName>(name: P, input: InputOf<P>): Promise<OutputOf<P>>;
  /** Goes on over reconnects: after each the first message is a whole one again. @returns ends it. */
  subscribe<P extends SubscriptionName>(
    name: P,
    input: InputOf<P>,
    handlers: { data: (message: OutputOf<P>) => void; refused?: (error: unknown) => void },
  ): () => void;
  connection: LiveSocket["connection"];
  /** Dials now instead of waiting for the next try. */
  reconnect(): void;
  logSource(job: string): LogSource;
  logHref(job: string): string;
  auth: AuthApi;
  close(): void;
};

export function createApi(origin: string): Api {
  const client = createTRPCUntypedClient({
    links: [
      httpBatchLink({
        url: `${origin}/api/trpc`,
        // Inputs may hold secrets (a job's environment), which must never stand in a URL.
        methodOverride: "POST",
        maxItems: 50,
      }),
    ],
  });
  const live = createLiveSocket(`${origin.replace(/^http/, "ws")}/ws/ui`);
  return {
    query: (name, input, signal) => client.query(name, input, signal ? { signal } : {}) as Promise<never>,
    mutate: (name, input) => client.mutation(name, input) as Promise<never>,
    subscribe: (name, input, handlers) =>
      live.subscribe(name, input, {
        data: (message) => handlers.data(message as never),
        refused: handlers.refused,
      }),
    connection: live.connection,
    reconnect: live.reconnect,
    logSource: (job) => createLogSource(origin, job),
    logHref: (job) => logHref(origin, job),
    auth: createAuthApi(origin),
    close: live.close,
  };
}
