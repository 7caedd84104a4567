/**
 * A connection to a service of a machine, for whoever may run jobs there. One mechanism, two carriers: the machine's own agent, and
 * SSH with the key that is kept for it. Owns what the audit was told. Invariants: the agent carries where it can; SSH steps in where
 * the agent is away or too old, and that is said; what the machine's policy forbids its agent is not done by SSH behind its back.
 */
import type { Duplex } from "node:stream";
import type { Target } from "@nexus/shared/api/schemas";
import { NexusError } from "@nexus/shared/errors";
import type { TunnelTo, TunnelWay } from "@nexus/shared/tunnel/tunnel-mux";
import type { Database } from "../../db/database.ts";
import type { Clock, Principal } from "../ports.ts";
import { recordAudit } from "../record-audit.ts";

export type TunnelCarrier = "agent" | "ssh";
export type TunnelAsked = {
  /** Its id or name. */
  target: string;
  to: TunnelTo;
  /** Null: whichever can. */
  via: TunnelCarrier | null;
};

export type TunnelService = {
  open(principal: Principal, asked: TunnelAsked): Promise<TunnelWay>;
};

export type TunnelContext = {
  db: Database;
  clock: Clock;
  findTarget(teamId: string, idOrName: string): Target | null;
  /** @throws NexusError `target_offline`, `needs_update`, or what the node itself refuses it with. */
  byAgent(target: string, to: TunnelTo): Promise<Duplex>;
  /** Null where no key is kept. */
  bySsh(principal: Principal, asked: { target: string; port: number }): Promise<Duplex | null>;
};

/** Each way of a person is told to the audit so often while it is used: a browser opens it a hundred times for one page. */
const TELL_AGAIN_MS = 60 * 60_000;
/** Past that many ways they are told once more. */
const TOLD_MAX = 10_000;
const LOOPBACK = ["localhost", "127.0.0.1", "::1"];

export function createTunnelService(ctx: TunnelContext): TunnelService {
  const toldAtMs = new Map<string, number>();

  async function open(principal: Principal, { target: idOrName, to, via }: TunnelAsked): Promise<TunnelWay> {
    const target = ctx.findTarget(principal.teamId, idOrName);
    if (target === null) throw new NexusError("not_found", { detail: `There is no target ${idOrName}.` });
    if (target.kind === "ssh" && via === "agent") {
      throw new NexusError("invalid_state", {
        detail: `${target.name} has no agent. Leave --via away, and SSH carries it.`,
      });
    }
    const carrier = target.kind === "ssh" ? "ssh" : via;
    const way = await openBy(carrier, { principal, target, to });
    try {
      await tell(principal, { target, to, carrier: way.carrier });
    } catch (cause) {
      way.stream.destroy();
      throw cause;
    }
    return { stream: way.stream, note: way.note };
  }

  async function openBy(
    carrier: TunnelCarrier | null,
    asked: { principal: Principal; target: Target; to: TunnelTo },
  ): Promise<{ stream: Duplex; carrier: TunnelCarrier; note: string | null }> {
    const { target, to } = asked;
    if (carrier === "ssh") return { ...(await overSsh(asked)), carrier: "ssh", note: null };
    try {
      return { stream: await ctx.byAgent(target.id, to), carrier: "agent", note: null };
    } catch (cause) {
      const why = agentCannot(cause, target.name);
      if (why === null) throw cause;
      if (carrier === "agent") throw why;
      const { stream } = await overSsh(asked, why);
      return { stream, carrier: "ssh", note: `Over SSH: ${why.message}` };
    }
  }

  /** @param instead why it is not the agent that carries it */
  async function overSsh(
    { principal, target, to }: { principal: Principal; target: Target; to: TunnelTo },
    instead: NexusError | null = null,
  ): Promise<{ stream: Duplex }> {
    const allowed = target.facts?.tunnels ?? "open";
    if (!LOOPBACK.includes(to.host)) {
      throw (
        instead ??
        new NexusError("forbidden", {
          detail: `Over SSH ${target.name} itself is reached, and no other machine from there.`,
        })
      );
    }
    if (allowed !== "open") {
      const says = allowed === "forbidden" ? "forbids tunnels" : "allows some ports only";
      throw new NexusError("forbidden", {
        detail: `${instead ? `${instead.message} And over SSH` : "Over SSH"} nothing is opened, since the policy file of ${target.name} ${says}.`,
      });
    }
    const stream = await ctx
      .bySsh(principal, { target: target.id, port: to.port })
      .catch((cause: unknown) => {
        if (instead === null || !(cause instanceof NexusError)) throw cause;
        throw new NexusError(cause.code, {
          detail: `${instead.message} And over SSH: ${cause.message}`,
          cause,
        });
      });
    if (stream !== null) return { stream };
    throw (
      instead ??
      new NexusError("invalid_state", {
        detail: `There is no key that leads to ${target.name} over SSH. Make one: nexus targets add user@host --keep-key`,
      })
    );
  }

  async function tell(
    principal: Principal,
    { target, to, carrier }: { target: Target; to: TunnelTo; carrier: TunnelCarrier },
  ): Promise<void> {
    const nowMs = ctx.clock.nowMs();
    const way = JSON.stringify([principal.userId, target.id, to.host, to.port, carrier]);
    const before = toldAtMs.get(way);
    if (before !== undefined && nowMs - before < TELL_AGAIN_MS) return;
    if (toldAtMs.size >= TOLD_MAX) toldAtMs.clear();
    toldAtMs.set(way, nowMs);
    const place = LOOPBACK.includes(to.host)
      ? `Port ${to.port} of ${target.name}`
      : `${to.host}:${to.port}, as ${target.name} sees it,`;
    try {
      await recordAudit(ctx.db, principal, {
        action: "target.port_forwarded",
        subject: target.id,
        detail: `${place} is reached through the control plane, ${carrier === "agent" ? "by its agent" : "over SSH"}.`,
        atMs: nowMs,
      });
    } catch (cause) {
      toldAtMs.delete(way);
      throw cause;
    }
  }

  return { open };
}

/** @returns why another carrier may be tried; null when the node itself said no. */
function agentCannot(cause: unknown, name: string): NexusError | null {
  if (!(cause instanceof NexusError)) return null;
  if (cause.code === "needs_update") return cause;
  if (cause.code !== "target_offline") return null;
  return new NexusError("target_offline", {
    detail: `${name} is not connected. Does its agent run? nexus-agent status says so there.`,
    cause,
  });
}
