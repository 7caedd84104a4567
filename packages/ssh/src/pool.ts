import type { Duplex } from "node:stream";
import type { ConnectedTarget, Connector, SshTarget } from "./connect-target.ts";
import type { ExecRequest, ForwardTarget, RemoteProcess, Runner, SshSession } from "./session.ts";
import { SshError } from "./ssh-error.ts";

/**
 * Keeps connections open and shares them. One per target, user and way; a further one only while all channels of the
 * others are taken, since servers allow ten sessions a connection (`MaxSessions`). A connection is:
 *   open → draining (takes nothing new, ends with its last channel) → closed.
 * Bounded everywhere: connections per target, connections in all, and callers that wait. Nothing that runs is ever
 * cut to make room, and a command that may have begun is never sent again.
 */
export type PoolOptions = {
  connector: Connector;
  nowMs: () => number;
  channelsMax?: number;
  connectionsPerTargetMax?: number;
  connectionsMax?: number;
  waitersMax?: number;
  idleMs?: number;
};

export type PoolStats = {
  connections: number;
  draining: number;
  channels: number;
  waiting: number;
  opened: number;
  reused: number;
  targets: {
    id: string;
    transport: string;
    channels: number;
    channelsMax: number;
    state: "open" | "draining";
  }[];
};

type Line = {
  shelf: Shelf;
  session: SshSession;
  transport: string;
  /** Slots handed out, opened as channels or about to be. */
  taken: number;
  /** Of these the ones that the server opened, now and at most so far: so many it surely allows. */
  opened: number;
  openedPeak: number;
  channelsMax: number;
  isDraining: boolean;
  idleSinceMs: number;
};

type Waiter = {
  resolve: (line: Line) => void;
  reject: (error: unknown) => void;
  abandon: () => void;
  detach: () => void;
};

/** A share of the pool for one target: over whichever connection has room. */
export type PoolRunner = Runner & {
  /** Names the transport of a connection to the target that is open; null where none is. */
  transport(): string | null;
  /** Nothing is begun any more, and the channels of what runs are closed. Others' go on. */
  close(): void;
};

/** All that belongs to one key. `opening` counts connections under way, so that ten callers at once open one. */
type Shelf = { target: SshTarget; lines: Set<Line>; opening: number; waiters: Set<Waiter> };

const CHANNELS_MAX = 8;
const CONNECTIONS_PER_TARGET_MAX = 4;
const CONNECTIONS_MAX = 512;
const WAITERS_MAX = 256;
const IDLE_MS = 10 * 60_000;
const REFUSALS_MAX = 50;
const REFUSED_PAUSE_MS = 20;

export function createPool(options: PoolOptions) {
  const { connector, nowMs } = options;
  const channelsMax = options.channelsMax ?? CHANNELS_MAX;
  const perTargetMax = options.connectionsPerTargetMax ?? CONNECTIONS_PER_TARGET_MAX;
  const connectionsMax = options.connectionsMax ?? CONNECTIONS_MAX;
  const waitersMax = options.waitersMax ?? WAITERS_MAX;
  const idleMs = options.idleMs ?? IDLE_MS;
  const shelves = new Map<string, Shelf>();
  const counts = { opened: 0, reused: 0, connections: 0 };
  const stopping = new AbortController();

  const timer = setInterval(() => closeIdle(), Math.max(1, Math.min(idleMs / 4, 60_000)));
  timer.unref();

  function shelfOf(target: SshTarget): Shelf {
    const key = keyOf(target);
    const shelf = shelves.get(key) ?? { target, lines: new Set(), opening: 0, waiters: new Set() };
    // Credentials or ways may have been edited since.
    shelf.target = target;
    shelves.set(key, shelf);
    return shelf;
  }

  async function acquire(target: SshTarget, signal?: AbortSignal): Promise<Line> {
    if (stopping.signal.aborted) throw new SshError("cancelled", "The connections are being closed.");
    if (signal?.aborted) throw notWanted(signal);
    const shelf = shelfOf(target);
    const free = freeLine(shelf);
    if (free !== undefined) {
      free.taken += 1;
      counts.reused += 1;
      return free;
    }
    if (shelf.waiters.size >= waitersMax) {
      throw new SshError(
        "channel_refused",
        `${waitersMax} others wait for a connection to ${target.id} already.`,
      );
    }
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        resolve,
        reject,
        detach: () => signal?.removeEventListener("abort", waiter.abandon),
        abandon: () => {
          settle(shelf, waiter).reject(notWanted(signal));
        },
      };
      signal?.addEventListener("abort", waiter.abandon, { once: true });
      shelf.waiters.add(waiter);
      widen(shelf);
    });
  }

  /** Opens another connection where waiters outnumber what is on its way. */
  function widen(shelf: Shelf): void {
    const usable = [...shelf.lines].filter((line) => !line.isDraining).length;
    const isRoom = usable + shelf.opening < perTargetMax && counts.connections < connectionsMax;
    if (!isRoom || shelf.waiters.size <= shelf.opening * channelsMax) {
      if (shelf.lines.size + shelf.opening === 0) {
        const error = new SshError("channel_refused", `All ${connectionsMax} connections are in use.`);
        for (const waiter of shelf.waiters) settle(shelf, waiter).reject(error);
      }
      return;
    }
    shelf.opening += 1;
    counts.connections += 1;
    connector
      .connect(shelf.target, stopping.signal)
      .then((connected) => put(shelf, connected))
      .catch((error: unknown) => {
        counts.connections -= 1;
        // Others may still be served by the connections that exist; without any, all hear why.
        if (shelf.lines.size > 0) return;
        for (const waiter of shelf.waiters) settle(shelf, waiter).reject(error);
      })
      .finally(() => {
        shelf.opening -= 1;
        serve(shelf);
      });
  }

  function put(shelf: Shelf, { session, transport }: ConnectedTarget): void {
    counts.opened += 1;
    if (stopping.signal.aborted) void session.close();
    const line: Line = {
      shelf,
      session,
      transport,
      taken: 0,
      opened: 0,
      openedPeak: 0,
      channelsMax,
      isDraining: false,
      idleSinceMs: nowMs(),
    };
    shelf.lines.add(line);
    void session.ended.then(() => {
      counts.connections -= 1;
      shelf.lines.delete(line);
      serve(shelf);
      if (shelf.lines.size + shelf.opening + shelf.waiters.size === 0) shelves.delete(keyOf(shelf.target));
    });
  }

  function serve(shelf: Shelf): void {
    for (const waiter of shelf.waiters) {
      const line = freeLine(shelf);
      if (line === undefined) break;
      line.taken += 1;
      settle(shelf, waiter).resolve(line);
    }
    if (shelf.waiters.size > 0) widen(shelf);
  }

  function settle(shelf: Shelf, waiter: Waiter): Waiter {
    shelf.waiters.delete(waiter);
    waiter.detach();
    return waiter;
  }

  function freeLine(shelf: Shelf): Line | undefined {
    let best: Line | undefined;
    for (const line of shelf.lines) {
      if (line.isDraining || !line.session.isOpen() || line.taken >= line.channelsMax) continue;
      if (best === undefined || line.taken < best.taken) best = line;
    }
    return best;
  }

  function release(shelf: Shelf, line: Line): void {
    line.taken -= 1;
    line.idleSinceMs = nowMs();
    if (line.isDraining && line.taken === 0) void line.session.close();
    serve(shelf);
  }

  /**
   * Opens one channel. A server that allows fewer sessions than we thought says so by refusing the channel, before
   * anything ran in it: the connection's limit is learnt, and the channel opened elsewhere or later.
   */
  async function open<T>(target: SshTarget, start: Start<T>, signal?: AbortSignal): Promise<T> {
    for (let refusals = 0; ; refusals += 1) {
      const line = await acquire(target, signal);
      const shelf = line.shelf;
      try {
        const { value, done } = await start(line.session);
        line.opened += 1;
        line.openedPeak = Math.max(line.openedPeak, line.opened);
        void done.then(() => {
          line.opened -= 1;
          release(shelf, line);
        });
        return value;
      } catch (error) {
        const others = line.taken - 1;
        const isRefused = error instanceof SshError && error.failure === "channel_refused";
        // Without others a connection that worked before still has a session of ours that the server is closing.
        const isFull = isRefused && (others > 0 || line.openedPeak > 0) && refusals < REFUSALS_MAX;
        if (isFull && others > 0)
          line.channelsMax = Math.min(line.channelsMax, Math.max(others, line.openedPeak));
        if (isFull && others < line.openedPeak)
          await new Promise((resolve) => setTimeout(resolve, REFUSED_PAUSE_MS));
        release(shelf, line);
        if (!isFull) throw error;
      }
    }
  }

  function closeIdle(): void {
    for (const shelf of shelves.values()) {
      for (const line of shelf.lines) {
        if (line.taken === 0 && nowMs() - line.idleSinceMs >= idleMs) void line.session.close();
      }
    }
  }

  function exec(target: SshTarget, request: ExecRequest, signal?: AbortSignal): Promise<RemoteProcess> {
    return open(
      target,
      async (session) => {
        const value = await session.exec(request);
        return { value, done: value.exited.then(noop, noop) };
      },
      signal,
    );
  }

  function runner(target: SshTarget): PoolRunner {
    const closing = new AbortController();
    const running = new Set<RemoteProcess>();
    return {
      isOpen: () => !closing.signal.aborted,
      transport: () => [...(shelves.get(keyOf(target))?.lines ?? [])].at(-1)?.transport ?? null,
      async exec(request) {
        const child = await exec(target, request, closing.signal);
        running.add(child);
        const forget = () => void running.delete(child);
        child.exited.then(forget, forget);
        if (closing.signal.aborted) child.close();
        return child;
      },
      close() {
        closing.abort();
        for (const child of running) child.close();
      },
    };
  }

  return {
    exec,
    runner,
    /** For channels that are streams: sftp, forwarded connections. The slot is free when the stream is closed. */
    forwardOut: (target: SshTarget, to: ForwardTarget): Promise<Duplex> =>
      open(target, async (session) => untilClosed(await session.forwardOut(to))),
    subsystem: (target: SshTarget, name: string): Promise<Duplex> =>
      open(target, async (session) => untilClosed(await session.subsystem(name))),
    /** Holds one slot for as long as `use` takes; for scripts of several channels one after the other. */
    use: <T>(target: SshTarget, use: (session: SshSession) => Promise<T>): Promise<T> =>
      open(target, async (session) => {
        const value = await use(session);
        return { value, done: Promise.resolve() };
      }),
    /** After an edit of the target: what runs goes on, the next caller gets a new connection. */
    refresh(targetId: string) {
      for (const shelf of shelves.values()) {
        if (shelf.target.id !== targetId) continue;
        for (const line of shelf.lines) {
          line.isDraining = true;
          if (line.taken === 0) void line.session.close();
        }
      }
    },
    stats(): PoolStats {
      const targets = [...shelves.values()].flatMap((shelf) =>
        [...shelf.lines].map((line) => ({
          id: shelf.target.id,
          transport: line.transport,
          channels: line.taken,
          channelsMax: line.channelsMax,
          state: line.isDraining ? ("draining" as const) : ("open" as const),
        })),
      );
      return {
        connections: targets.length,
        draining: targets.filter((line) => line.state === "draining").length,
        channels: targets.reduce((sum, line) => sum + line.channels, 0),
        waiting: [...shelves.values()].reduce((sum, shelf) => sum + shelf.waiters.size, 0),
        opened: counts.opened,
        reused: counts.reused,
        targets,
      };
    },
    /** Cuts everything. */
    async close() {
      clearInterval(timer);
      stopping.abort();
      const lines = [...shelves.values()].flatMap((shelf) => {
        for (const waiter of shelf.waiters) waiter.abandon();
        return [...shelf.lines];
      });
      await Promise.all(lines.map((line) => line.session.close()));
    },
  };
}

export type Pool = ReturnType<typeof createPool>;

function notWanted(signal: AbortSignal | undefined): SshError {
  return new SshError("cancelled", "The connection was no longer wanted.", signal?.reason);
}

type Start<T> = (session: SshSession) => Promise<{ value: T; done: Promise<void> }>;

function untilClosed(stream: Duplex): { value: Duplex; done: Promise<void> } {
  return { value: stream, done: new Promise((resolve) => stream.once("close", () => resolve())) };
}

function keyOf({ id, user }: SshTarget): string {
  return JSON.stringify([id, user]);
}

function noop(): void {
  // The slot is free, however it ended.
}
