/**
 * The targets of kind `ssh`, reached through the pool. Owns: which of them are served here, and the wait between attempts to
 * reach one. States of a target: connecting → served → connecting …, until it leaves the fleet. It is the hub of these targets, as
 * the gateway is of those with an agent. A refused host key or log-in is tried again some minutes later, or when it is asked for.
 */
import { setTimeout as pause } from "node:timers/promises";
import { newId } from "@nexus/shared/ids";
import type { ServerMessage } from "@nexus/shared/protocol/messages";
import type { PoolRunner } from "@nexus/ssh/pool";
import { mayFallThrough, SshError } from "@nexus/ssh/ssh-error";
import { type AgentlessTarget, listAgentlessTargets } from "../../../db/queries/list-agentless-targets.ts";
import type { AgentPort } from "../../ports.ts";
import { sshTargetOf } from "../reach-machine.ts";
import type { SshContext } from "../ssh-context.ts";
import { storedReach } from "../stored-reach.ts";
import { type AgentlessNode, createAgentlessNode } from "./agentless-node.ts";

export type AgentlessFleet = ReturnType<typeof createAgentlessFleet>;

export type AgentlessContext = Pick<SshContext, "db" | "masterKey" | "clock" | "randomBytes" | "pool"> & {
  port(): AgentPort;
  log(message: string, facts: Record<string, unknown>): void;
};

const RETRY_MS_MIN = 1_000;
const RETRY_MS_MAX = 60_000;
/** Seldom enough for what bans addresses that are refused too often, and soon enough for a key that was set right there. */
const REFUSED_MS = 5 * 60_000;
/** A connection that lasted this long was a good one: the next attempt is made at once. */
const GOOD_MS = 30_000;

type Served = {
  stop: AbortController;
  node: (AgentlessNode & Pick<PoolRunner, "transport">) | null;
  done: Promise<void>;
};

const actorOf = ({ teamId, publicId }: AgentlessTarget) => ({
  teamId,
  userId: publicId,
  userName: "control plane",
});

export function createAgentlessFleet(ctx: AgentlessContext) {
  const served = new Map<number, Served>();

  function serve(target: AgentlessTarget): void {
    if (served.has(target.targetId)) return;
    const stop = new AbortController();
    const entry: Served = { stop, node: null, done: Promise.resolve() };
    served.set(target.targetId, entry);
    entry.done = keepServing(target, entry).finally(() => {
      if (served.get(target.targetId) === entry) served.delete(target.targetId);
    });
  }

  async function keepServing(target: AgentlessTarget, entry: Served): Promise<void> {
    const { signal } = entry.stop;
    let waitMs = RETRY_MS_MIN;
    while (!signal.aborted) {
      const beganAtMs = performance.now();
      let isFinal = false;
      try {
        await connectOnce(target, entry);
      } catch (error) {
        isFinal = error instanceof SshError && !mayFallThrough(error);
        if (!signal.aborted)
          ctx.log("a machine without an agent cannot be reached", {
            target: target.publicId,
            error: String(error),
          });
      } finally {
        entry.node = null;
      }
      if (performance.now() - beganAtMs >= GOOD_MS) waitMs = RETRY_MS_MIN;
      await pause(isFinal ? REFUSED_MS : waitMs, undefined, { signal }).catch(() => undefined);
      waitMs = Math.min(RETRY_MS_MAX, waitMs * 2);
    }
  }

  const reachOf = (target: AgentlessTarget) =>
    storedReach(ctx.masterKey, { id: target.publicId, name: target.name }, target);

  async function connectOnce(target: AgentlessTarget, entry: Served): Promise<void> {
    const { signal } = entry.stop;
    const runner = ctx.pool.runner(sshTargetOf(ctx, actorOf(target), reachOf(target)));
    const close = () => runner.close();
    signal.addEventListener("abort", close, { once: true });
    const node = createAgentlessNode({
      runner,
      node: {
        sessionId: newId("session", ctx.randomBytes),
        targetId: target.targetId,
        targetPublicId: target.publicId,
        targetName: target.name,
        teamId: target.teamId,
      },
      port: ctx.port(),
      clock: ctx.clock,
      onTrouble: (message, cause) => ctx.log(message, { target: target.publicId, cause: String(cause) }),
    });
    try {
      await node.connect();
      if (signal.aborted) return;
      entry.node = { ...node, transport: runner.transport };
      await node.serve();
    } finally {
      signal.removeEventListener("abort", close);
      runner.close();
    }
  }

  return {
    async start(): Promise<void> {
      for (const target of await listAgentlessTargets(ctx.db, null)) serve(target);
    },
    /** A target was made, or its way changed. */
    async add(targetId: number): Promise<void> {
      await drop(targetId);
      const [target] = await listAgentlessTargets(ctx.db, targetId);
      if (target === undefined) return;
      // Another key, or another way: a connection of before is for nobody new.
      ctx.pool.refresh(sshTargetOf(ctx, actorOf(target), reachOf(target)).id);
      serve(target);
    },
    has: (targetId: number) => served.has(targetId),
    send(targetId: number, message: ServerMessage): boolean {
      const node = served.get(targetId)?.node;
      node?.send(message);
      return node != null;
    },
    isConnected: (targetId: number) => served.get(targetId)?.node != null,
    /** By which the target is served at the moment; null where it is not. */
    transportOf: (targetId: number) => served.get(targetId)?.node?.transport() ?? null,
    connectedTargets: () => [...served].flatMap(([id, { node }]) => (node === null ? [] : id)),
    disconnect: (targetId: number) => void drop(targetId),
    async close(): Promise<void> {
      await Promise.all([...served.keys()].map(drop));
    },
  };

  async function drop(targetId: number): Promise<void> {
    const entry = served.get(targetId);
    if (entry === undefined) return;
    entry.stop.abort();
    // At once, not when its connection has ended: nothing is begun there by this side any more.
    entry.node = null;
    await entry.done;
  }
}
