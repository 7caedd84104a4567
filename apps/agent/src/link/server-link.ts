/**
 * The shell around `core/session.ts`: keeps one connection to the control plane, for ever. Owns: the session, its socket, its
 * timers. Invariants: at most one socket; the generation is on the disk before the inventory tells it; messages are handed on
 * in their order. It ends only by `stop()` or by a refusal that the server signed.
 */
import { signText, verifyText } from "@nexus/shared/crypto/ed25519";
import { sha256 } from "@nexus/shared/crypto/fingerprint";
import { beginHeartbeat, heard, look } from "@nexus/shared/protocol/heartbeat";
import { SOCKET_BUFFERED_BYTES_MAX } from "@nexus/shared/protocol/limits";
import type { AgentMessage, MessageOf } from "@nexus/shared/protocol/messages";
import {
  isProven,
  type LiveMessage,
  newSession,
  type Problem,
  type SessionConfig,
  type SessionEffect,
  type SessionEvent,
  stepSession,
} from "../core/session.ts";
import { type DataFrame, type FrameSocket, openFrameSocket } from "./frame-socket.ts";
import { saveGeneration } from "./generation-file.ts";
import { type Identity, newNonce } from "./identity-store.ts";
import { toProblem } from "./to-problem.ts";

export type LinkState = {
  name: "connecting" | "connected" | "waiting" | "stopped";
  retryInMs: number | null;
  problem: Problem | null;
  generation: number;
};

export type Inventory = Omit<MessageOf<AgentMessage, "inventory">, "type" | "generation" | "last">;

export type ServerLinkOptions = {
  home: string;
  identity: Identity;
  /** The last one on the disk. */
  generation: number;
  agentVersion: string;
  bootId: string;
  /** The whole truth of the node, taken anew at each connect. */
  takeInventory(): Promise<Inventory>;
  onMessage(message: LiveMessage, payload: Uint8Array): void;
  onState(state: LinkState): void;
  pullData(): Promise<DataFrame | null>;
  /** Monotonic. */
  nowMs(): number;
  random(): number;
};

export type ServerLink = {
  start(): void;
  /** False when it was dropped: there is no connection, it fits no frame, or it may be lost and the socket is full. */
  send(message: AgentMessage): boolean;
  wake(): void;
  isLive(): boolean;
  stop(): Promise<void>;
  /** Why it ended for good; null after `stop()`. */
  readonly finished: Promise<Problem | null>;
};

/** From dial to the server's proof; it may probe an older connection of ours for 3 s. */
const GREETING_TIMEOUT_MS = 30_000;
/** From the inventory to the server's `sync`. */
const SYNC_TIMEOUT_MS = 60_000;

/** Node's timers hold 24 days, and take what is longer for a millisecond; no fleet needs more than this. */
const HEARTBEAT_MS_MAX = 3_600_000;

export function createServerLink(options: ServerLinkOptions): ServerLink {
  const { home, identity, nowMs, random } = options;
  const address = { origin: identity.origin, spkiPin: identity.spkiPin };
  const config: SessionConfig = {
    nodeId: identity.nodeId,
    origin: identity.origin,
    agentVersion: options.agentVersion,
    bootId: options.bootId,
    sign: (text) => signText(identity.seed, text),
    verifyServer: (text, signature) => verifyText(identity.serverKey, text, signature),
    sha256,
  };
  let session = newSession(options.generation);
  let socket: FrameSocket | null = null;
  let retryTimer: NodeJS.Timeout | null = null;
  let phaseTimer: NodeJS.Timeout | null = null;
  let beatTimer: NodeJS.Timeout | null = null;
  let heartbeat = beginHeartbeat(nowMs());
  let bytesSeen = 0;
  let unreadSeen = 0;
  let retryInMs: number | null = null;
  /** What happens after it is news; what happened before is in it. */
  let isInventorySent = false;
  const finished = Promise.withResolvers<Problem | null>();
  const closed = { all: Promise.resolve() };

  function apply(event: SessionEvent): void {
    const before = session.phase.name;
    const step = stepSession(session, event, config);
    session = step.session;
    if (session.phase.name !== before) onPhase();
    for (const effect of step.effects) perform(effect);
    if (session.phase.name !== before || event.type === "closed") tell();
  }

  function perform(effect: SessionEffect): void {
    switch (effect.do) {
      case "dial":
        retryInMs = null;
        dial();
        break;
      case "send":
        socket?.send(effect.message);
        break;
      case "save_generation":
        during(saveGeneration(home, effect.generation), () =>
          apply({ type: "saved", generation: effect.generation }),
        );
        break;
      case "send_inventory":
        during(options.takeInventory(), (inventory) => {
          const { generation } = effect;
          socket?.send({ type: "inventory", generation, ...inventory, last: true });
          isInventorySent = true;
        });
        break;
      case "deliver":
        options.onMessage(effect.message, effect.payload);
        break;
      case "hang_up":
        socket?.close();
        break;
      case "wake_after":
        retryInMs = effect.waitMs;
        retryTimer = setTimeout(() => apply({ type: "wake" }), effect.waitMs);
        break;
      case "stopped":
        finished.resolve(effect.problem);
        break;
    }
  }

  function dial(): void {
    const done = Promise.withResolvers<void>();
    isInventorySent = false;
    closed.all = done.promise;
    const own = openSafely({
      address,
      pullData: options.pullData,
      onOpen: () => apply({ type: "opened" }),
      onMessage(message, payload) {
        heartbeat = heard(heartbeat, nowMs());
        apply({ type: "message", message, payload, nowMs: nowMs(), agentNonce: newNonce() });
      },
      onBadFrame: (message) => apply({ type: "bad_frame", message }),
      onClosed({ problem, retryAfterMs }) {
        if (socket === own) socket = null;
        done.resolve();
        apply({ type: "closed", problem, retryAfterMs, nowMs: nowMs(), random: random() });
      },
    });
    socket = own;
  }

  /** An address that may not be dialled at all ends like one that cannot be reached. */
  function openSafely(given: Parameters<typeof openFrameSocket>[0]): FrameSocket | null {
    try {
      return openFrameSocket(given);
    } catch (error) {
      const problem = toProblem(error, address.origin);
      queueMicrotask(() => given.onClosed({ problem, retryAfterMs: null }));
      return null;
    }
  }

  /** Work of one connection: when it is over, the result is for nobody. */
  function during<T>(work: Promise<T>, then: (result: T) => void): void {
    const own = socket;
    work.then(
      (result) => {
        if (own === socket) then(result);
      },
      (error: unknown) => {
        if (own === socket) own?.cut(toProblem(error, address.origin));
      },
    );
  }

  function onPhase(): void {
    const { phase } = session;
    if (phaseTimer !== null) clearTimeout(phaseTimer);
    phaseTimer = null;
    const limitMs =
      phase.name === "live" || phase.name === "waiting" || phase.name === "stopped"
        ? null
        : isProven(phase)
          ? SYNC_TIMEOUT_MS
          : GREETING_TIMEOUT_MS;
    if (limitMs !== null) {
      phaseTimer = setTimeout(() => {
        socket?.cut({
          code: "unavailable",
          message: `The control plane at ${address.origin} stopped answering ("${phase.name}").`,
        });
      }, limitMs);
    }
    if (beatTimer !== null) clearInterval(beatTimer);
    beatTimer = null;
    if (!isProven(phase)) return;
    heartbeat = beginHeartbeat(nowMs());
    bytesSeen = 0;
    const intervalMs = Math.min(Math.max(phase.heartbeatMs, 1), HEARTBEAT_MS_MAX);
    beatTimer = setInterval(() => listen(intervalMs), intervalMs);
  }

  function listen(intervalMs: number): void {
    // A long message on a slow link is no silence.
    const bytes = socket?.bytesRead() ?? 0;
    // One that takes what waits for it, however slowly, is no more silent than one that speaks.
    const unread = socket?.bufferedBytes() ?? 0;
    const isTaking = socket?.isPaused() === true && unread < unreadSeen;
    if (bytes > bytesSeen || isTaking) heartbeat = heard(heartbeat, nowMs());
    bytesSeen = bytes;
    unreadSeen = unread;
    const seen = look(heartbeat, nowMs(), intervalMs);
    heartbeat = seen.state;
    if (seen.verdict === "dead") {
      socket?.cut({ code: "unavailable", message: `The control plane at ${address.origin} went silent.` });
    }
  }

  function tell(): void {
    const { phase, problem, generation } = session;
    const names = { waiting: "waiting", stopped: "stopped", live: "connected" } as const;
    const name = phase.name in names ? names[phase.name as keyof typeof names] : "connecting";
    options.onState({ name, retryInMs: name === "waiting" ? retryInMs : null, problem, generation });
  }

  return {
    finished: finished.promise,
    start: () => apply({ type: "start" }),
    send(message) {
      if (!isInventorySent || !isProven(session.phase) || socket === null) return false;
      const mayBeLost = message.type === "telemetry" || message.type === "facts";
      if (mayBeLost && socket.bufferedBytes() > SOCKET_BUFFERED_BYTES_MAX) return false;
      return socket.send(message);
    },
    wake: () => socket?.wake(),
    isLive: () => session.phase.name === "live",
    async stop() {
      if (retryTimer !== null) clearTimeout(retryTimer);
      apply({ type: "stop" });
      await closed.all;
    },
  };
}
