/**
 * The shell around `agent-session.ts`: one WebSocket, its deadline, its two lanes of work and its answers.
 *
 * Owns: the socket from accept to close. Invariants: bytes are read only while both lanes have room and
 * the node takes our answers; control messages are
 * worked on in their order, log frames in theirs; `port.disconnected` follows every `port.connected` and nothing of the
 * session follows it. A message that could not be handled ends the session, since the inventory of the next connect
 * brings all that matters again.
 */
import { assert } from "@nexus/shared/assert";
import { ERROR_TABLE, NexusError } from "@nexus/shared/errors";
import { newId } from "@nexus/shared/ids";
import { CLOSE, type CloseName } from "@nexus/shared/protocol/close-codes";
import { beginHeartbeat, heard, look } from "@nexus/shared/protocol/heartbeat";
import { BATCH_ITEMS_MAX, SOCKET_BUFFERED_BYTES_MAX, TEXT_CHARS_MAX } from "@nexus/shared/protocol/limits";
import type { AgentMessage, MessageOf, ServerMessage, TunnelAnswer } from "@nexus/shared/protocol/messages";
import { readAgentMessage } from "@nexus/shared/protocol/read-message";
import { encodeMessage } from "@nexus/shared/protocol/split-message";
import { isTunnelMessage } from "@nexus/shared/tunnel/tunnel-mux";
import type { WebSocket } from "ws";
import type { HelloNonces, NodeSessions } from "../services/node-session.ts";
import type { AgentPort, NodeSession, RandomBytes } from "../services/ports.ts";
import {
  type InventoryPart,
  type LiveMessage,
  openSession,
  type SessionEffect,
  type SessionEvent,
  type SessionRefusal,
  type SessionState,
  stepSession,
} from "./agent-session.ts";
import type { GatewayLog, LiveSession } from "./live-session.ts";
import { createNodeTunnels } from "./node-tunnels.ts";
import { mergeAnswers } from "./outbox.ts";
import { createWorkLane } from "./work-lane.ts";

const CONTROL_ITEMS_MAX = 256;
/** A few windows; one frame is at most 1 MiB. */
const LOG_BYTES_MAX = 4 * 1024 * 1024;
/** For the peer to answer our close before the socket is cut. */
const CLOSE_GRACE_MS = 3_000;
const RETRY_AFTER_TROUBLE_MS = 5_000;

export type AgentSocketOptions = {
  socket: WebSocket;
  remoteAddress: string;
  sessions: NodeSessions;
  port: AgentPort;
  /** False when a living connection of the node is there already. */
  claim(session: LiveSession): Promise<boolean>;
  cloneSeen(targetId: number): void;
  heartbeatMs(): number;
  /** Bytes that came so far, of messages that are not whole yet too. */
  bytesRead(): number;
  /** Monotonic. */
  nowMs(): number;
  randomBytes: RandomBytes;
  log: GatewayLog;
};

type LogFrame = { message: MessageOf<AgentMessage, "log">; bytes: Uint8Array };
/** What a node says of attempts while an earlier piece is being committed is one piece afterwards. */
type Reports = {
  kind: "reports";
  started: MessageOf<AgentMessage, "started"> | null;
  exited: MessageOf<AgentMessage, "exited"> | null;
  size: number;
};
type ControlWork =
  | { kind: "sync"; generation: number; parts: readonly InventoryPart[] }
  | { kind: "message"; message: Exclude<LiveMessage, TunnelAnswer | { type: "log" | "started" | "exited" }> }
  | Reports;

function newReports(): Reports {
  return { kind: "reports", started: null, exited: null, size: 0 };
}

export function serveAgentSocket(options: AgentSocketOptions): void {
  const { socket, port, sessions, log, nowMs } = options;
  let state: SessionState;
  let node: NodeSession | null = null;
  let protocol = 0;
  let nonces: HelloNonces | null = null;
  let isReady = false;
  let isConnected = false;
  let isOver = false;
  let heartbeat = beginHeartbeat(nowMs());
  let beats = 0;
  let bytesSeen = 0;
  let unreadSeen = 0;
  let deadline: NodeJS.Timeout | null = null;
  let answers: ServerMessage[] = [];
  let isFlushPlanned = false;
  /** The last piece of the control lane, while nobody works on it and it has room. */
  let openReports: Reports | null = null;
  const heardWaiters = new Set<() => void>();
  const finished = Promise.withResolvers<void>();

  const onError = (error: unknown) => endForTrouble(error);
  const control = createWorkLane<ControlWork>({
    sizeOf: () => 1,
    sizeMax: CONTROL_ITEMS_MAX,
    work: (item) => {
      if (item === openReports) openReports = null;
      if (item.kind === "reports") return handleReports(item);
      return item.kind === "sync" ? sync(item.generation, item.parts) : handle(item.message);
    },
    onProgress: readOn,
    onError,
  });
  const logs = createWorkLane<LogFrame>({
    sizeOf: (frame) => frame.bytes.length + 256,
    sizeMax: LOG_BYTES_MAX,
    work: async (frame) => answer(await port.log(known(), frame.message, frame.bytes)),
    onProgress: readOn,
    onError,
  });

  const tunnels = createNodeTunnels({
    socket,
    isReady: () => isReady,
    protocol: () => protocol,
    targetName: () => known().targetName,
    send: write,
    onError,
  });

  socket.on("message", (data, isBinary) => {
    heartbeat = heard(heartbeat, nowMs());
    for (const waiter of heardWaiters) waiter();
    const frame = readAgentMessage({ data: data as Buffer, isBinary });
    if (frame.ok) apply({ type: "message", message: frame.message, payload: frame.payload });
    else apply({ type: "bad_frame", message: frame.message });
  });
  // ws closes by itself after these; too long a frame is the one that a person should hear of.
  socket.on("error", (error) => tellBroken(`The node broke the WebSocket protocol: ${error.message}.`));
  socket.on("close", (code, reason) => {
    void finish(reason.length > 0 ? `${code} ${reason.toString()}` : String(code));
  });

  const opening = openSession(Buffer.from(options.randomBytes(32)).toString("base64url"));
  state = opening.state;
  for (const effect of opening.effects) perform(effect);

  function apply(event: SessionEvent): void {
    const step = stepSession(state, event);
    state = step.state;
    for (const effect of step.effects) perform(effect);
  }

  function perform(effect: SessionEffect): void {
    switch (effect.do) {
      case "send":
        write(effect.message);
        return;
      case "verify":
        nonces = {
          nodeId: effect.hello.nodeId,
          serverNonce: effect.serverNonce,
          agentNonce: effect.hello.agentNonce,
        };
        verify(effect).catch(endForTrouble);
        return;
      case "sync":
        control.push({ kind: "sync", generation: effect.generation, parts: effect.parts });
        readOn();
        return;
      case "deliver":
        deliver(effect.message, effect.payload);
        readOn();
        return;
      case "deadline":
        if (deadline !== null) clearTimeout(deadline);
        deadline =
          effect.afterMs === null ? null : setTimeout(() => apply({ type: "deadline" }), effect.afterMs);
        return;
      case "refuse":
        refuse(effect.refusal);
        return;
    }
  }

  function deliver(message: LiveMessage, payload: Uint8Array): void {
    if (message.type === "log") {
      logs.push({ message, bytes: payload });
      return;
    }
    if (isTunnelMessage(message)) {
      tunnels.take(message, payload);
      return;
    }
    if (message.type !== "started" && message.type !== "exited") {
      openReports = null;
      control.push({ kind: "message", message });
      return;
    }
    const hasRoom = openReports !== null && openReports.size + message.attempts.length <= BATCH_ITEMS_MAX;
    const reports = openReports !== null && hasRoom ? openReports : newReports();
    reports.size += message.attempts.length;
    if (message.type === "started") {
      const attempts = [...(reports.started?.attempts ?? []), ...message.attempts];
      reports.started = { type: "started", attempts };
    } else {
      const attempts = [...(reports.exited?.attempts ?? []), ...message.attempts];
      reports.exited = { type: "exited", attempts };
    }
    if (reports === openReports) return;
    openReports = reports;
    control.push(reports);
  }

  async function verify({ hello, serverNonce }: Extract<SessionEffect, { do: "verify" }>): Promise<void> {
    const verdict = await sessions.verifyHello(hello, serverNonce);
    if (verdict.kind === "refuse") {
      if (verdict.cloneOf !== null) options.cloneSeen(verdict.cloneOf);
      apply({ type: "refused", refusal: verdict.refusal });
      return;
    }
    if (isOver) return;
    node = { ...verdict.node, sessionId: newId("session", options.randomBytes) };
    if (!(await options.claim(live))) {
      apply({
        type: "refused",
        refusal: {
          close: "cloned",
          code: "conflict",
          message: `${node.targetName} is connected already, and that connection answers. Is another agent running with a copy of this identity?`,
          retryAfterMs: 30_000,
          signature: null,
        },
      });
      return;
    }
    const { generation, signature } = verdict;
    protocol = verdict.protocol;
    heartbeat = beginHeartbeat(nowMs());
    apply({ type: "welcomed", protocol, generation, signature, heartbeatMs: options.heartbeatMs() });
  }

  async function sync(generation: number, parts: readonly InventoryPart[]): Promise<void> {
    const self = known();
    if (!(await sessions.confirmGeneration(self, generation))) {
      live.end("replaced");
      return;
    }
    if (isOver) return;
    isConnected = true;
    await port.connected(self);
    isReady = true;
    const wanted = await port.inventory(self, [...parts]);
    // The node waits for it, also when there is nothing to say about any attempt.
    answer(wanted.some(({ type }) => type === "sync") ? wanted : [{ type: "sync", attempts: [] }, ...wanted]);
    log("info", "node connected", { target: self.targetPublicId, name: self.targetName, generation });
  }

  /** Told together, so that the services can commit them together; a start is never later than its exit. */
  async function handleReports({ started, exited }: Reports): Promise<void> {
    const self = known();
    const [answers] = await Promise.all([
      exited === null ? [] : port.exited(self, exited),
      started === null ? null : port.started(self, started),
    ]);
    answer(answers);
  }

  async function handle(message: Extract<ControlWork, { kind: "message" }>["message"]): Promise<void> {
    const self = known();
    switch (message.type) {
      case "facts":
        return await port.facts(self, message);
      case "telemetry":
        return port.telemetry(self, message);
      case "notice":
        return port.notice(self, message);
      case "faults":
        return port.faults(self, message);
      case "log_gap":
        return await port.logGap(self, message);
    }
  }

  function answer(messages: ServerMessage[]): void {
    if (messages.length === 0 || isOver) return;
    answers.push(...messages);
    if (isFlushPlanned) return;
    isFlushPlanned = true;
    setImmediate(flush);
  }

  function flush(): void {
    isFlushPlanned = false;
    const messages = mergeAnswers(answers);
    answers = [];
    for (const message of messages) write(message);
  }

  function write(message: ServerMessage): void {
    if (isOver || socket.readyState !== socket.OPEN) return;
    for (const frame of encodeMessage(message)) socket.send(frame, { binary: true }, readOn);
    if (isUnread()) socket.pause();
  }

  /** Our own back-pressure: a full lane, or a node that takes no answers, stops the reading; TCP then stops the node. */
  function readOn(): void {
    if (isOver) return;
    if (control.isFull() || logs.isFull() || isUnread()) socket.pause();
    else if (socket.isPaused && control.isRoomy() && logs.isRoomy()) socket.resume();
  }

  function isUnread(): boolean {
    return socket.bufferedAmount > SOCKET_BUFFERED_BYTES_MAX;
  }

  function refuse(refusal: SessionRefusal): void {
    const { close, code, message, retryAfterMs, signature } = refusal;
    if (close === "protocolError") tellBroken(message);
    log("info", "node refused", { code, message, node: nonces?.nodeId, from: options.remoteAddress });
    flush();
    write({ type: "refuse", code, message, retryAfterMs, signature });
    hangUp(close);
  }

  function hangUp(close: CloseName): void {
    isReady = false;
    tunnels.breakAll(CLOSE[close].reason);
    control.stop();
    logs.stop();
    socket.resume();
    socket.close(CLOSE[close].code, CLOSE[close].reason);
    setTimeout(() => socket.terminate(), CLOSE_GRACE_MS).unref();
  }

  function tellBroken(message: string): void {
    log("warn", "bad frame", { message, node: nonces?.nodeId, from: options.remoteAddress });
    if (node === null || !isConnected) return;
    port.notice(node, {
      type: "notice",
      level: "warning",
      code: "bad_frame",
      message: message.slice(0, TEXT_CHARS_MAX),
    });
  }

  function endForTrouble(error: unknown): void {
    const code = error instanceof NexusError ? error.code : "unavailable";
    log("error", "a message of a node could not be handled", {
      target: node?.targetPublicId,
      error: error instanceof Error ? (error.stack ?? error.message) : String(error),
    });
    apply({
      type: "refused",
      refusal: {
        close: code === "protocol_error" || code === "bad_request" ? "protocolError" : "overloaded",
        code,
        message: error instanceof NexusError ? error.message : ERROR_TABLE.unavailable.text,
        retryAfterMs: RETRY_AFTER_TROUBLE_MS,
        signature: null,
      },
    });
  }

  async function finish(why: string): Promise<void> {
    if (isOver) return;
    isOver = true;
    isReady = false;
    apply({ type: "closed" });
    if (deadline !== null) clearTimeout(deadline);
    control.stop();
    logs.stop();
    tunnels.breakAll(why);
    for (const waiter of heardWaiters) waiter();
    try {
      await Promise.all([control.idle(), logs.idle()]);
      if (node !== null && isConnected) await port.disconnected(node, why);
    } catch (error) {
      log("error", "the end of a session could not be recorded", { error: String(error) });
    } finally {
      finished.resolve();
    }
  }

  function known(): NodeSession {
    assert(node !== null, "work of a session whose node is not known");
    return node;
  }

  const live: LiveSession = {
    get node() {
      return known();
    },
    remoteAddress: options.remoteAddress,
    finished: finished.promise,
    isReady: () => isReady,
    send(message) {
      if (!isReady || socket.bufferedAmount > SOCKET_BUFFERED_BYTES_MAX) return false;
      answers.push(message);
      flush();
      return true;
    },
    openTunnel: (to) => tunnels.open(to),
    end(why, retryAfterMs) {
      const signed = why === "revoked" && nonces !== null ? sessions.refusal("node_revoked", nonces) : null;
      apply({ type: "refused", refusal: signed ?? plainRefusal(why, retryAfterMs ?? null) });
    },
    async probe(timeoutMs) {
      if (isOver || socket.readyState !== socket.OPEN) return false;
      write({ type: "heartbeat", seq: beats++ });
      return await new Promise<boolean>((resolve) => {
        const timer = setTimeout(() => settle(false), timeoutMs);
        const waiter = () => settle(!isOver);
        heardWaiters.add(waiter);
        function settle(isAlive: boolean): void {
          clearTimeout(timer);
          heardWaiters.delete(waiter);
          resolve(isAlive);
        }
      });
    },
    beat(intervalMs) {
      // A long message on a slow link is no silence.
      const bytes = options.bytesRead();
      const unread = socket.bufferedAmount;
      // Paused by our own slowness, or by a node that takes what waits for it, however slowly.
      const isOurPause = socket.isPaused && (!isUnread() || unread < unreadSeen);
      if (isOurPause || bytes > bytesSeen) heartbeat = heard(heartbeat, nowMs());
      bytesSeen = bytes;
      unreadSeen = unread;
      const seen = look(heartbeat, nowMs(), intervalMs);
      heartbeat = seen.state;
      if (seen.verdict === "dead") live.end("silent");
      else if (!isUnread()) write({ type: "heartbeat", seq: beats++ });
    },
    notice(message) {
      if (isConnected) port.notice(known(), message);
    },
  };
}

const REFUSAL_CODES = {
  shuttingDown: "unavailable",
  overloaded: "unavailable",
  protocolError: "protocol_error",
  unauthenticated: "unauthenticated",
  revoked: "node_revoked",
  handshakeTimeout: "protocol_error",
  replaced: "conflict",
  cloned: "node_cloned",
  needsUpdate: "needs_update",
  silent: "unavailable",
} as const satisfies Record<CloseName, string>;

function plainRefusal(close: CloseName, retryAfterMs: number | null): SessionRefusal {
  return {
    close,
    code: REFUSAL_CODES[close],
    message: `${CLOSE[close].reason}.`,
    retryAfterMs,
    signature: null,
  };
}
