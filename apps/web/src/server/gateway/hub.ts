/**
 * The live agent sessions of this process, by target. Owns: the map, the heartbeat timer.
 * Invariants: at most one session a target; a new one takes the place of an old one only after that was found silent and
 * its end was told to the services. It refuses a second connection while the first answers: two copies of one identity.
 */
import type { Duplex } from "node:stream";
import { NexusError } from "@nexus/shared/errors";
import type { CloseName } from "@nexus/shared/protocol/close-codes";
import { HEARTBEAT_MS } from "@nexus/shared/protocol/limits";
import type { ServerMessage } from "@nexus/shared/protocol/messages";
import type { TunnelTo } from "@nexus/shared/tunnel/tunnel-mux";
import type { NodeSessions } from "../services/node-session.ts";
import type { Hub } from "../services/ports.ts";
import type { GatewayLog, LiveSession } from "./live-session.ts";

const PROBE_MS = 3_000;
/** Beyond this fleet-wide rate the interval grows. */
const HEARTBEATS_PER_SECOND_MAX = 200;
/** `target_heartbeat` is written this often at most, in one statement for all. */
const SEEN_WRITE_MS = 30_000;
/** After a restart a fleet comes back spread over this much time a node. */
const RETURN_SPREAD_MS_PER_NODE = 20;

export type AgentHub = Hub & {
  claim(session: LiveSession): Promise<boolean>;
  /** The holder of the identity should know that a copy of it was turned away. */
  cloneSeen(targetId: number, message: string): void;
  heartbeatMs(): number;
  /** @param target its public id */
  openTunnel(target: string, to: TunnelTo): Promise<Duplex>;
  /** Says goodbye to all, spread over time, and waits until the services have heard of each end. */
  close(): Promise<void>;
};

export type HubOptions = {
  sessions: NodeSessions;
  log: GatewayLog;
  random(): number;
  /** Monotonic. */
  nowMs(): number;
  heartbeatMs?: number;
  probeMs?: number;
};

export function createHub(options: HubOptions): AgentHub {
  const { sessions, log, heartbeatMs: baseMs = HEARTBEAT_MS, probeMs = PROBE_MS } = options;
  const byTarget = new Map<number, LiveSession>();
  let isClosing = false;
  let seenAtMs = Number.NEGATIVE_INFINITY;
  let timer = setTimeout(beat, baseMs);

  function heartbeatMs(): number {
    return Math.max(baseMs, Math.ceil((byTarget.size / HEARTBEATS_PER_SECOND_MAX) * 1000));
  }

  function beat(): void {
    const intervalMs = heartbeatMs();
    for (const session of byTarget.values()) session.beat(intervalMs);
    sweep().catch((error: unknown) => log("error", "heartbeats were not recorded", { error: String(error) }));
    timer = setTimeout(beat, intervalMs);
  }

  /** A node may have been revoked in the database alone: by a person with psql, or before we became active. */
  async function sweep(): Promise<void> {
    const ids = hub.connectedTargets();
    if (ids.length === 0) return;
    const nowMs = options.nowMs();
    if (nowMs - seenAtMs >= SEEN_WRITE_MS) {
      seenAtMs = nowMs;
      await sessions.seen(ids);
    }
    for (const id of await sessions.revoked(ids)) byTarget.get(id)?.end("revoked");
  }

  const hub: AgentHub = {
    async claim(session) {
      const { targetId, targetPublicId } = session.node;
      for (let old = byTarget.get(targetId); old !== undefined; old = byTarget.get(targetId)) {
        if (await old.probe(probeMs)) {
          log("warn", "second connection of a node refused", {
            target: targetPublicId,
            from: session.remoteAddress,
            holder: old.remoteAddress,
          });
          hub.cloneSeen(
            targetId,
            `A second connection of this node was refused, from ${session.remoteAddress}. Is another agent running with a copy of its identity?`,
          );
          return false;
        }
        old.end("replaced");
        await old.finished;
        if (byTarget.get(targetId) === old) byTarget.delete(targetId);
      }
      if (isClosing) return false;
      byTarget.set(targetId, session);
      void session.finished.then(() => {
        if (byTarget.get(targetId) === session) byTarget.delete(targetId);
      });
      return true;
    },
    cloneSeen(targetId, message) {
      byTarget.get(targetId)?.notice({ type: "notice", level: "error", code: "clone_seen", message });
    },
    heartbeatMs,
    async openTunnel(target, to) {
      const session = [...byTarget.values()].find(({ node }) => node.targetPublicId === target);
      if (!session?.isReady())
        throw new NexusError("target_offline", { detail: "Its agent is not connected." });
      return await session.openTunnel(to);
    },
    send: (targetId: number, message: ServerMessage) => byTarget.get(targetId)?.send(message) ?? false,
    isConnected: (targetId) => byTarget.get(targetId)?.isReady() ?? false,
    disconnect: (targetId: number, why: CloseName) => byTarget.get(targetId)?.end(why),
    connectedTargets: () => [...byTarget].filter(([, session]) => session.isReady()).map(([id]) => id),
    async close() {
      isClosing = true;
      clearTimeout(timer);
      const open = [...byTarget.values()];
      const spreadMs = open.length * RETURN_SPREAD_MS_PER_NODE;
      for (const session of open) session.end("shuttingDown", Math.round(options.random() * spreadMs));
      await Promise.all(open.map((session) => session.finished));
    },
  };
  return hub;
}
