/**
 * The seams of the control plane, as types only. Services stand in the middle: the gateway and the API call them, and they
 * reach sockets, disks and clocks through what is named here. server.ts wires the real ones; tests wire what they need.
 */

import type { LogLineFound } from "@nexus/shared/api/log-search";
import type { CloseName } from "@nexus/shared/protocol/close-codes";
import type { AgentMessage, MessageOf, ServerMessage } from "@nexus/shared/protocol/messages";
import type { LineSearchQuery, SearchStart } from "../core/logs/line-search.ts";

/** The agent behind a socket that finished its handshake. Identity comes from here, never from a message. */
export type NodeSession = {
  readonly sessionId: string;
  readonly targetId: number;
  readonly targetPublicId: string;
  readonly targetName: string;
  readonly teamId: string;
};

/** Implemented by the gateway: the live sockets of this process. */
export type Hub = {
  /** False when the target has no socket here or its socket is stuck; the message is then dropped, and the caller's own retry applies. */
  send(targetId: number, message: ServerMessage): boolean;
  isConnected(targetId: number): boolean;
  disconnect(targetId: number, why: CloseName): void;
  connectedTargets(): number[];
};

/** Implemented by the services: what the gateway does with the messages of a session, in the order they came. */
export type AgentPort = {
  connected(node: NodeSession): Promise<void>;
  /** All parts of one inventory. Answers what is wanted of each attempt that the node named, and what to start. */
  inventory(node: NodeSession, parts: MessageOf<AgentMessage, "inventory">[]): Promise<ServerMessage[]>;
  facts(node: NodeSession, message: MessageOf<AgentMessage, "facts">): Promise<void>;
  started(node: NodeSession, message: MessageOf<AgentMessage, "started">): Promise<void>;
  /** Answers with the messages to send back: `forget` for attempts that are closed and whose log is whole. */
  exited(node: NodeSession, message: MessageOf<AgentMessage, "exited">): Promise<ServerMessage[]>;
  /** Appends at `offset == size`; anything else is answered with our size and `rewind`. May answer `forget` after the last byte. */
  log(
    node: NodeSession,
    message: MessageOf<AgentMessage, "log">,
    bytes: Uint8Array,
  ): Promise<ServerMessage[]>;
  telemetry(node: NodeSession, message: MessageOf<AgentMessage, "telemetry">): void;
  notice(node: NodeSession, message: MessageOf<AgentMessage, "notice">): void;
  /** What keeps the node from starting anything, as it stands now. */
  faults(node: NodeSession, message: MessageOf<AgentMessage, "faults">): void;
  logGap(node: NodeSession, message: MessageOf<AgentMessage, "log_gap">): Promise<void>;
  disconnected(node: NodeSession, why: string): Promise<void>;
};

/** What happened, for whoever watches: subscriptions, log followers, the scheduler. Ids only; readers re-read. */
export type NexusEvents = {
  /** Jobs whose row changed. */
  job: { teamId: string; jobs: string[] };
  /** A job's log grew or ended. */
  log: { teamId: string; job: string; attempt: string; logBytes: number; ended: boolean };
  /** A target, its GPUs, its samples or its connection changed; `removed` when it left the fleet. */
  target: { teamId: string; target: string; removed: boolean };
  enrollToken: { teamId: string; enrollToken: string };
  /** A membership, role, session or key of the user changed: whoever acts for them looks again who they are. */
  access: { teamId: string; userId: string };
};

export type EventBus = {
  emit<K extends keyof NexusEvents>(type: K, event: NexusEvents[K]): void;
  on<K extends keyof NexusEvents>(type: K, listener: (event: NexusEvents[K]) => void): () => void;
};

/** Who asks, resolved once at the edge. Services trust it and check roles nowhere else. */
export type Principal = {
  userId: string;
  userName: string;
  teamId: string;
  role: import("@nexus/shared/roles").Role;
  /** The key that speaks for them never does more, whatever they become. */
  roleMax?: import("@nexus/shared/roles").Role | undefined;
};

/** The right to plan, of the one control plane that is active on the database. */
export type Right = {
  /** False while the connection that proves it is broken. */
  isHeld(): boolean;
  /** @returns ends the listening. */
  onRegained(listener: () => void): () => void;
};

export type Clock = { nowMs(): number };
export type RandomBytes = (count: number) => Uint8Array;

/** A log as a search reads it, to its present size. */
export type SearchedLog = {
  size: number;
  /** Asked for when the search has its turn: to find out may take reading the whole log. */
  start(signal: AbortSignal): Promise<SearchStart>;
  read(offset: number, limit: number): Promise<Uint8Array>;
};

/** What was found since the last piece; `matches` of all so far. */
export type SearchPiece = { lines: LogLineFound[]; searchedTo: number; matches: number };

export type LogSearchReader = { user: string; signal: AbortSignal };

export type LogSearch = {
  /** @throws NexusError bad_request for the expression or what it takes, unavailable when too many wait. */
  search(log: SearchedLog, query: LineSearchQuery, reader: LogSearchReader): AsyncGenerator<SearchPiece>;
};

/** Log bytes by attempt. One contract, several homes. */
export type LogStore = {
  size(attempt: string): Promise<number>;
  /** Writes only where `offset` is the present size. @returns the size afterwards. */
  append(attempt: string, offset: number, bytes: Uint8Array): Promise<number>;
  /** Up to `limit` bytes from `offset`. */
  read(attempt: string, offset: number, limit: number): Promise<Uint8Array>;
  /** Byte offset where the last `lines` lines begin. */
  tailOffset(attempt: string, lines: number, signal?: AbortSignal): Promise<number>;
  /** How many line ends lie before the byte. */
  linesBefore(attempt: string, offset: number, signal?: AbortSignal): Promise<number>;
  /** Makes what was appended survive a power cut, or the loss of this machine where logs have a home elsewhere. */
  sync(attempt: string): Promise<void>;
  /** A sync may take as long as a network likes: no job's end and no node waits for it. */
  readonly isFar: boolean;
  remove(attempt: string): Promise<void>;
  /** What is wrong with all of it, for people. */
  problem(): { code: string; message: string } | null;
  close(): Promise<void>;
};
