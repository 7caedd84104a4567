/**
 * The node's side of the link as a state machine; pure, `link/server-link.ts` is its shell.
 *
 * States: waiting → dialing → greeting → welcoming → saving → syncing → live, back to waiting, and stopped for good.
 *   waiting    until the next attempt; a timer of the shell wakes it
 *   dialing    a socket is being opened
 *   greeting   open; the server's challenge is awaited
 *   welcoming  our hello is out; the server's proof is awaited
 *   saving     the offered generation is being written down; the inventory must not confirm it before
 *   syncing    the inventory is out; `sync` is awaited, other messages may come already
 *   live       messages go both ways
 * Invariants: nothing of the node but its id and nonce leaves before the server proved itself; `stopped` is reached only by a
 * refusal that the server signed for this very handshake, or by our own wish. It refuses: a server that is not the pinned one.
 */
import type { ErrorCode } from "@nexus/shared/errors";
import { isErrorCode } from "@nexus/shared/errors";
import {
  commonProtocol,
  type Hello,
  handshakeTranscript,
  helloDigestText,
  refusalTranscript,
} from "@nexus/shared/protocol/handshake";
import { PROTOCOL_VERSION_MAX, PROTOCOL_VERSION_MIN } from "@nexus/shared/protocol/limits";
import type { AgentMessage, MessageOf, ServerMessage } from "@nexus/shared/protocol/messages";

export type SessionConfig = {
  nodeId: string;
  origin: string;
  agentVersion: string;
  bootId: string;
  /** Signs with the node's key. */
  sign(text: string): string;
  /** Checks against the pinned key of the server. */
  verifyServer(text: string, signature: string): boolean;
  sha256(text: string): string;
};

export type Problem = { code: ErrorCode; message: string };

type Greeting = { serverNonce: string; hello: Hello; protocol: number; helloSha256: string };

export type Phase =
  | { name: "waiting" }
  | { name: "dialing" }
  | { name: "greeting" }
  | ({ name: "welcoming" } & Greeting)
  | ({ name: "saving" | "syncing" | "live" } & Greeting & { sinceMs: number; heartbeatMs: number })
  | { name: "stopped" };

export type Session = {
  readonly phase: Phase;
  /** The last one written down. */
  readonly generation: number;
  /** Attempts since the last connection that held. */
  readonly failures: number;
  /** What the server asked for, or what its refusal calls for; taken by the next wait. */
  readonly waitMsMin: number;
  /** Why there is no connection, for people; it stays until one holds. */
  readonly problem: Problem | null;
  /** What this connection's end is due to; said before the socket closes. */
  readonly reason: Problem | null;
};

export type SessionEvent =
  | { type: "start" }
  /** The wait is over. */
  | { type: "wake" }
  | { type: "opened" }
  | { type: "message"; message: ServerMessage; payload: Uint8Array; nowMs: number; agentNonce: string }
  | { type: "bad_frame"; message: string }
  | { type: "saved"; generation: number }
  /** The socket is gone, or never came to be. `random` in 0..1 spreads the return of a fleet. */
  | { type: "closed"; problem: Problem | null; retryAfterMs: number | null; nowMs: number; random: number }
  | { type: "stop" };

export type SessionEffect =
  | { do: "dial" }
  | { do: "send"; message: AgentMessage }
  | { do: "save_generation"; generation: number }
  | { do: "send_inventory"; generation: number }
  | { do: "deliver"; message: LiveMessage; payload: Uint8Array }
  | { do: "hang_up"; problem: Problem | null }
  | { do: "wake_after"; waitMs: number }
  /** For good. Null: because we were told to stop. */
  | { do: "stopped"; problem: Problem | null };

export type LiveMessage = Exclude<ServerMessage, { type: "challenge" | "welcome" | "refuse" | "heartbeat" }>;

const BACKOFF_MS_MIN = 500;
const BACKOFF_MS_MAX = 60_000;
/**
 * Where the control plane is only not there (no answer, a lost connection, a restart) nobody is spared by waiting, and a network
 * that is whole again should find its nodes back within 10 s. Who answers and refuses us is asked less and less often.
 */
const BACKOFF_AWAY_MS_MAX = 5_000;
/** On top of a time that the server named: it spreads its nodes itself. */
const BACKOFF_ASKED_MS_MAX = 3_000;
/** A control plane that restarts is back within some 4 s; its nodes should be back within 3 s of it. */
const BACKOFF_EARLY_MS_MAX = 3_000;
const EARLY_FAILURES = 8;
/** A connection that held this long makes the next loss a first one. */
const STABLE_MS = 60_000;
/** A server's wish is honoured up to here; beyond it would be a way to switch a fleet off. */
const RETRY_AFTER_MS_MAX = 600_000;
/** Trouble that does not pass by itself: tried again, but seldom. */
const SLOW_RETRY_MS = 30_000;
const SLOW_CODES: readonly ErrorCode[] = [
  "unauthenticated",
  "signature_invalid",
  "needs_update",
  "forbidden",
  "conflict",
  "pin_mismatch",
  "node_revoked",
  "node_cloned",
];
/** Only these end a node's attempts, and only when signed. */
const FINAL_CODES: readonly ErrorCode[] = ["node_revoked", "node_cloned"];

export function newSession(generation: number): Session {
  return { phase: { name: "waiting" }, generation, failures: 0, waitMsMin: 0, problem: null, reason: null };
}

export type Step = { session: Session; effects: SessionEffect[] };

export function stepSession(session: Session, event: SessionEvent, config: SessionConfig): Step {
  const { phase } = session;
  if (phase.name === "stopped") return { session, effects: [] };
  switch (event.type) {
    case "start":
    case "wake":
      if (phase.name !== "waiting") return { session, effects: [] };
      return { session: { ...session, phase: { name: "dialing" }, reason: null }, effects: [{ do: "dial" }] };
    case "opened":
      return { session: { ...session, phase: { name: "greeting" } }, effects: [] };
    case "message":
      return onMessage(session, event, config);
    case "bad_frame":
      return hangUp(session, { code: "protocol_error", message: event.message });
    case "saved":
      if (phase.name !== "saving") return { session, effects: [] };
      return {
        session: { ...session, phase: { ...phase, name: "syncing" }, generation: event.generation },
        effects: [{ do: "send_inventory", generation: event.generation }],
      };
    case "closed":
      return onClosed(session, event);
    case "stop":
      return {
        session: { ...session, phase: { name: "stopped" }, problem: null },
        effects: [
          { do: "hang_up", problem: null },
          { do: "stopped", problem: null },
        ],
      };
  }
}

/** Full jitter: anywhere between the least wait and a ceiling that doubles with each failure, but stays low at first. */
export function backoffMs(failures: number, random: number, ceilingMsMax = BACKOFF_MS_MAX): number {
  const isEarly = failures <= EARLY_FAILURES;
  const doublings = isEarly ? failures : Math.min(failures - EARLY_FAILURES + 2, 20);
  const ceilingMs = Math.min(isEarly ? BACKOFF_EARLY_MS_MAX : ceilingMsMax, BACKOFF_MS_MIN * 2 ** doublings);
  return Math.round(BACKOFF_MS_MIN + random * (ceilingMs - BACKOFF_MS_MIN));
}

function onMessage(
  session: Session,
  event: Extract<SessionEvent, { type: "message" }>,
  config: SessionConfig,
): Step {
  const { phase } = session;
  const { message } = event;
  if (message.type === "refuse") return onRefusal(session, message, config);
  if (message.type === "heartbeat") {
    // A server that is not proven yet gets no answer; it sends none before its welcome.
    if (!isProven(phase)) return { session, effects: [] };
    return { session, effects: [{ do: "send", message: { type: "heartbeat", seq: message.seq } }] };
  }
  if (phase.name === "greeting" && message.type === "challenge") {
    return onChallenge(session, { challenge: message, agentNonce: event.agentNonce }, config);
  }
  if (phase.name === "welcoming" && message.type === "welcome") {
    return onWelcome(session, { welcome: message, nowMs: event.nowMs }, config);
  }
  if (isProven(phase) && message.type !== "challenge" && message.type !== "welcome") {
    const isSynced = message.type === "sync" && phase.name === "syncing";
    const next: Session = isSynced
      ? { ...session, phase: { ...phase, name: "live" }, problem: null }
      : session;
    return { session: next, effects: [{ do: "deliver", message, payload: event.payload }] };
  }
  return hangUp(session, {
    code: "protocol_error",
    message: `The server sent "${message.type}" while the session is "${phase.name}".`,
  });
}

function onChallenge(
  session: Session,
  given: { challenge: MessageOf<ServerMessage, "challenge">; agentNonce: string },
  config: SessionConfig,
): Step {
  const { challenge, agentNonce } = given;
  const { nodeId, origin, agentVersion, bootId } = config;
  const ours = { protocolMin: PROTOCOL_VERSION_MIN, protocolMax: PROTOCOL_VERSION_MAX };
  // Without a common version our own highest is signed, so that the server knows who needs the update and says so.
  const protocol = commonProtocol(ours, challenge) ?? PROTOCOL_VERSION_MAX;
  const unsigned: Omit<Hello, "signature"> = {
    type: "hello",
    nodeId,
    ...ours,
    agentNonce,
    generation: session.generation,
    agentVersion,
    bootId,
    origin,
  };
  const helloSha256 = config.sha256(helloDigestText(unsigned));
  const { serverNonce } = challenge;
  const terms = { nodeId, serverNonce, agentNonce, protocol, origin, helloSha256 };
  const signature = config.sign(
    handshakeTranscript({ ...terms, role: "agent", generation: session.generation }),
  );
  const hello: Hello = { ...unsigned, signature };
  return {
    session: { ...session, phase: { name: "welcoming", serverNonce, hello, protocol, helloSha256 } },
    effects: [{ do: "send", message: hello }],
  };
}

function onWelcome(
  session: Session,
  given: { welcome: MessageOf<ServerMessage, "welcome">; nowMs: number },
  config: SessionConfig,
): Step {
  const { phase } = session;
  const { welcome, nowMs } = given;
  if (phase.name !== "welcoming") return { session, effects: [] };
  const transcript = handshakeTranscript({
    role: "server",
    nodeId: config.nodeId,
    serverNonce: phase.serverNonce,
    agentNonce: phase.hello.agentNonce,
    protocol: phase.protocol,
    origin: config.origin,
    generation: welcome.generation,
    helloSha256: phase.helloSha256,
  });
  if (welcome.protocol !== phase.protocol || !config.verifyServer(transcript, welcome.signature)) {
    return hangUp(session, {
      code: "pin_mismatch",
      message: `The server at ${config.origin} is not the one that this node was enrolled with: its proof does not fit the pinned key. Nothing was told to it.`,
    });
  }
  if (welcome.generation <= session.generation) {
    return hangUp(session, {
      code: "protocol_error",
      message: `The server offered generation ${welcome.generation}, which is not newer than ${session.generation}.`,
    });
  }
  return {
    session: {
      ...session,
      phase: { ...phase, name: "saving", sinceMs: nowMs, heartbeatMs: welcome.heartbeatMs },
    },
    effects: [{ do: "save_generation", generation: welcome.generation }],
  };
}

function onRefusal(
  session: Session,
  refusal: MessageOf<ServerMessage, "refuse">,
  config: SessionConfig,
): Step {
  const { phase } = session;
  const code: ErrorCode = isErrorCode(refusal.code) ? refusal.code : "unavailable";
  const problem: Problem = { code, message: refusal.message };
  if (FINAL_CODES.includes(code) && refusal.signature !== null && hasGreeted(phase)) {
    const transcript = refusalTranscript({
      nodeId: config.nodeId,
      serverNonce: phase.serverNonce,
      agentNonce: phase.hello.agentNonce,
      code,
    });
    if (config.verifyServer(transcript, refusal.signature)) {
      return {
        session: { ...session, phase: { name: "stopped" }, problem },
        effects: [
          { do: "hang_up", problem },
          { do: "stopped", problem },
        ],
      };
    }
  }
  const asked = Math.min(Math.max(0, refusal.retryAfterMs ?? 0), RETRY_AFTER_MS_MAX);
  return hangUp({ ...session, waitMsMin: asked }, problem);
}

function onClosed(session: Session, event: Extract<SessionEvent, { type: "closed" }>): Step {
  const { phase } = session;
  if (phase.name === "waiting") return { session, effects: [] };
  const held = isProven(phase) && event.nowMs - phase.sinceMs >= STABLE_MS;
  const failures = held ? 0 : session.failures;
  // What the server said before it hung up explains more than the closed socket does.
  const problem = session.reason ?? event.problem;
  const slowMs = problem !== null && SLOW_CODES.includes(problem.code) ? SLOW_RETRY_MS : 0;
  const askedMs = Math.min(Math.max(session.waitMsMin, event.retryAfterMs ?? 0), RETRY_AFTER_MS_MAX);
  const isAway = problem === null || problem.code === "unavailable";
  const ceilingMs = askedMs > 0 ? BACKOFF_ASKED_MS_MAX : isAway ? BACKOFF_AWAY_MS_MAX : BACKOFF_MS_MAX;
  const waitMs = Math.max(slowMs, askedMs) + backoffMs(failures, event.random, ceilingMs);
  return {
    session: { ...session, phase: { name: "waiting" }, failures: failures + 1, waitMsMin: 0, problem },
    effects: [{ do: "wake_after", waitMs }],
  };
}

/** The socket's end is reported as `closed` by the shell, which begins the wait. */
function hangUp(session: Session, problem: Problem): Step {
  return { session: { ...session, reason: problem }, effects: [{ do: "hang_up", problem }] };
}

type ProvenPhase = Extract<Phase, { sinceMs: number }>;

export function isProven(phase: Phase): phase is ProvenPhase {
  return phase.name === "saving" || phase.name === "syncing" || phase.name === "live";
}

function hasGreeted(phase: Phase): phase is Phase & Greeting {
  return phase.name === "welcoming" || isProven(phase);
}
