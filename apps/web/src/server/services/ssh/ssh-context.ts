import type { OutputOf } from "@nexus/shared/api/contract";
import type { Target } from "@nexus/shared/api/schemas";
import type { CloseName } from "@nexus/shared/protocol/close-codes";
import type { Connector } from "@nexus/ssh/connect-target";
import type { Pool } from "@nexus/ssh/pool";
import type { Database } from "../../db/database.ts";
import type { Clock, EventBus, Principal, RandomBytes } from "../ports.ts";
import type { ParsedInput } from "../services.ts";

/** A file for a node, as it lies here. */
export type KitFile = { path: string; sha256: string; bytes: number };

/** What is brought to a machine that has no agent yet. */
export type AgentKit = {
  /** The agent as one file. */
  script(): Promise<KitFile & { version: string }>;
  /** A Node for that kind of machine, gzipped. @throws NexusError when none can be had, with what to do. */
  node(machine: { os: string; arch: string }): Promise<KitFile & { unpackedSha256: string; version: string }>;
  /** Ends what is fetched at the moment. */
  close(): void;
};

/** What reaching machines over SSH needs of the world; the composition root wires it. */
export type SshContext = {
  db: Database;
  masterKey: Uint8Array;
  clock: Clock;
  randomBytes: RandomBytes;
  events: EventBus;
  connector: Connector;
  /** Of connections that outlive the work of one person. */
  pool: Pool;
  kit: AgentKit;
  /** Addresses of this control plane, the one that is given out first. */
  origins(): readonly string[];
  /** A token that names one of these addresses. */
  createEnrollToken(
    principal: Principal,
    input: ParsedInput<"enrollTokens.create">,
    origin: string,
  ): Promise<OutputOf<"enrollTokens.create">>;
  revokeEnrollToken(principal: Principal, id: string): Promise<unknown>;
  /** Its row was written: whoever caches it reads it again. */
  refreshTarget(targetId: number): Promise<void>;
  /** Serves a target without an agent by the way that is stored, and one that has an agent no more: afterwards it is as its row says. */
  serveAgentless(targetId: number): Promise<void>;
  /** By which transport a target without an agent is served at the moment; null where it is not. */
  agentlessTransport(targetId: number): string | null;
  /** Nothing is sent to whoever serves it, from here on; it is told to go. */
  disconnect(targetId: number, why: CloseName): void;
  findTarget(teamId: string, idOrName: string): Target | null;
  removeTarget(principal: Principal, target: string): Promise<unknown>;
  onInternalError(cause: unknown): void;
};
