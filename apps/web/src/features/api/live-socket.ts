/**
 * The tab's one WebSocket. Owns the subscriptions and whether they are live. States: connecting (never open yet), live, lost
 * since a time, signed out (final: the server said that dialling again is pointless).
 * A subscription outlives the socket; one that the server refused is asked for again after a pause, since most refusals
 * (a restart, a busy database) pass.
 */
import { createTRPCUntypedClient, createWSClient, type TRPCClientError, wsLink } from "@trpc/client";
import { serverNow } from "../../ui/clock.ts";

export type Connection = {
  /** Since when the live data is not live; null while it is. Before the first contact it counts from the start. */
  readonly lostSinceMs: number | null;
  /** It was live at least once: what is on the screen is old rather than absent. */
  readonly wasLive: boolean;
  readonly signedOut: boolean;
};

export type LiveSocket = {
  subscribe(path: string, input: unknown, handlers: Handlers): () => void;
  connection: { subscribe(listener: () => void): () => void; state(): Connection };
  reconnect(): void;
  close(): void;
};

type Handlers = { data: (message: unknown) => void; refused?: ((error: unknown) => void) | undefined };
type Subscription = Handlers & { path: string; input: unknown; stop: () => void };

/** The server closes with this when the person's access ended. */
const CLOSE_SIGNED_OUT = 4401;
const RETRY_MS_MIN = 500;
const RETRY_MS_MAX = 10_000;
const RESUBSCRIBE_MS = 3000;
/** A laptop's lid or a dead router closes no socket; a ping that nobody answers does. */
const KEEP_ALIVE = { enabled: true, intervalMs: 10_000, pongTimeoutMs: 5000 };

export function createLiveSocket(url: string): LiveSocket {
  const subscriptions = new Set<Subscription>();
  const listeners = new Set<() => void>();
  let connection: Connection = { lostSinceMs: serverNow(), wasLive: false, signedOut: false };
  let dialled: ReturnType<typeof dial> | null = null;
  let closed = false;

  function set(next: Connection): void {
    connection = next;
    for (const listener of listeners) listener();
  }

  function dial() {
    const socket = createWSClient({
      url,
      keepAlive: KEEP_ALIVE,
      retryDelayMs: (attempt) => Math.random() * Math.min(RETRY_MS_MAX, RETRY_MS_MIN * 2 ** attempt),
      onOpen: () => set({ lostSinceMs: null, wasLive: true, signedOut: false }),
      onClose: (cause) => {
        const signedOut = cause?.code === CLOSE_SIGNED_OUT;
        set({ ...connection, lostSinceMs: connection.lostSinceMs ?? serverNow(), signedOut });
        if (signedOut) void socket.close();
      },
    });
    return { socket, client: createTRPCUntypedClient({ links: [wsLink({ client: socket })] }) };
  }

  function ask(subscription: Subscription): void {
    dialled ??= dial();
    let timer: ReturnType<typeof setTimeout> | null = null;
    const asked = dialled.client.subscription(subscription.path, subscription.input, {
      onData: subscription.data,
      onError: (error: TRPCClientError<never>) => {
        subscription.refused?.(error);
        timer = setTimeout(() => subscriptions.has(subscription) && ask(subscription), RESUBSCRIBE_MS);
      },
    });
    subscription.stop = () => {
      if (timer) clearTimeout(timer);
      asked.unsubscribe();
    };
  }

  function reconnect(): void {
    if (closed || connection.lostSinceMs === null || connection.signedOut) return;
    void dialled?.socket.close();
    dialled = null;
    for (const subscription of subscriptions) {
      subscription.stop();
      ask(subscription);
    }
  }

  function onVisible(): void {
    if (document.visibilityState === "visible") reconnect();
  }
  window.addEventListener("online", reconnect);
  document.addEventListener("visibilitychange", onVisible);

  return {
    subscribe(path, input, handlers) {
      const subscription: Subscription = { ...handlers, path, input, stop: () => undefined };
      subscriptions.add(subscription);
      ask(subscription);
      return () => {
        subscriptions.delete(subscription);
        subscription.stop();
      };
    },
    connection: {
      subscribe(listener) {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
      state: () => connection,
    },
    reconnect,
    close() {
      closed = true;
      window.removeEventListener("online", reconnect);
      document.removeEventListener("visibilitychange", onVisible);
      for (const subscription of subscriptions) subscription.stop();
      subscriptions.clear();
      listeners.clear();
      void dialled?.socket.close();
    },
  };
}
