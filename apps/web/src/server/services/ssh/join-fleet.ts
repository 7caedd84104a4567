/** The machine becomes a node of this fleet, with a token of its own; or is found to be one. */
import type { Target } from "@nexus/shared/api/schemas";
import { NexusError } from "@nexus/shared/errors";
import { runScript } from "@nexus/ssh/exec/run-remote";
import type { SshSession } from "@nexus/ssh/session";
import type { MachinePlan } from "../../core/ssh/judge-machine.ts";
import { findLiveTarget } from "../../db/queries/find-live-target.ts";
import { listAgentlessTargets } from "../../db/queries/list-agentless-targets.ts";
import { askNode, refuseUnproven } from "./ask-node.ts";
import { type MachineWork, rowOf } from "./machine-work.ts";
import { aliasOf, isMeant, isWayOf } from "./reach-machine.ts";
import type { AgentCommands, RemoteStatus } from "./remote-agent.ts";
import type { SshContext } from "./ssh-context.ts";
import { switchTarget } from "./switch-target.ts";

const TOKEN_MS = 15 * 60_000;
const STOP_MS = 30_000;

/** Waits for the processes that it ends, so that none of them holds the agent's home afterwards. */
const END_AGENT = `
kill "$1" 2>/dev/null || exit 0
tries=0
while kill -0 "$1" 2>/dev/null && [ "$tries" -lt 200 ]; do tries=$((tries + 1)); sleep 0.1 2>/dev/null || sleep 1; done
`;

type Joining = { session: SshSession; agent: AgentCommands; plan: MachinePlan };

export async function joinFleet(
  ctx: SshContext,
  work: MachineWork,
  { session, agent, plan }: Joining,
): Promise<Target> {
  const { run, index, host, input } = work;
  const { teamId } = run.principal;
  const tell = (level: "info" | "done" | "skip", text: string) => run.teller(index, "enrol")(level, text);
  const before = await askNode(ctx, agent);
  if (before !== null && !input.replaceIdentity) await refuseUnproven(ctx, before);
  const known = before?.isProven ? ctx.findTarget(teamId, before.node.nodeId) : null;
  if (known !== null) {
    if (known.kind === "agent") {
      tell("skip", `It is ${known.name} (${known.id}) already.`);
      return known;
    }
    const targetId = await rowOf(ctx, run, known);
    await switchTarget(ctx, run.principal, { target: known, targetId, kind: "agent" });
    await ctx.serveAgentless(targetId);
    tell("done", `${known.name} (${known.id}) is its agent's again.`);
    return known;
  }
  if (before !== null) {
    if (before.isProven) await refuseNodeOfOtherTeam(ctx, teamId, before.node);
    const isOurs = ctx.origins().includes(before.node.origin);
    if (!isOurs && !input.replaceIdentity) {
      throw new NexusError("conflict", {
        detail: `It is a node of another control plane: ${before.node.name} at ${before.node.origin}. To take it over, allow its identity to be replaced (--replace-identity).`,
      });
    }
    tell(
      "info",
      `It was ${before.node.name} at ${before.node.origin}, which is not in this fleet (any more).`,
    );
    await endAgent(session, { agent, plan, status: before, signal: run.signal });
  }
  const agentless = (await listAgentlessTargets(ctx.db, null))
    .filter((one) => one.teamId === teamId && isWayOf(host)(one))
    .find(isMeant(host));
  const name = host.name ?? aliasOf(host);
  const token = {
    labels: input.labels,
    usesMax: 1,
    ttlMs: TOKEN_MS,
    ...(name === null ? {} : { name }),
    ...(agentless === undefined ? {} : { target: agentless.publicId }),
  };
  const { enrollToken, secret } = await ctx.createEnrollToken(run.principal, token, plan.origin);
  run.hide(secret);
  try {
    const said = await agent.enroll(secret, { isForced: before !== null, allowRoot: input.allowRoot });
    for (const line of said.split("\n").filter((text) => /^(Control plane|Name|Jobs run|GPUs)/.test(text))) {
      tell("info", line.replaceAll(/\s{2,}/g, "  "));
    }
  } catch (error) {
    // An unused token of a machine that did not come is one that somebody could find.
    await ctx.revokeEnrollToken(run.principal, enrollToken.id).catch(ctx.onInternalError);
    throw error;
  }
  const after = await askNode(ctx, agent);
  const target = after?.isProven ? ctx.findTarget(teamId, after.node.nodeId) : null;
  if (target === null) {
    throw new NexusError("internal", {
      detail: "The machine enrolled, and is not in the fleet. Run this again.",
    });
  }
  if (agentless !== undefined) await ctx.serveAgentless(agentless.targetId);
  tell("done", `Enrolled as ${target.name} (${target.id}).`);
  return target;
}

/** @throws NexusError when another team's people may be at work on it, whatever was allowed. */
export async function refuseNodeOfOtherTeam(
  ctx: SshContext,
  teamId: string,
  node: RemoteStatus["node"],
): Promise<void> {
  const live = await findLiveTarget(ctx.db, node.nodeId);
  if (live === null || live.teamId === teamId) return;
  throw new NexusError("conflict", {
    detail: `It is ${node.name}, a node of the team ${node.team} of this control plane. Nothing was touched. Whoever has rights there takes it out first: nexus targets remove ${node.name}`,
  });
}

/** Service first, or it would start the agent again. */
export async function endAgent(
  session: SshSession,
  {
    agent,
    plan,
    status,
    signal,
  }: {
    agent: AgentCommands;
    plan: Pick<MachinePlan, "service">;
    status: RemoteStatus | null;
    signal: AbortSignal;
  },
): Promise<boolean> {
  const hadService = await agent.uninstallService(plan.service);
  const pid = (await agent.status())?.pid ?? null;
  if (pid !== null) {
    const script = { what: "ending the agent", text: END_AGENT, args: [String(pid)] };
    await runScript(session, script, { signal, timeoutMs: STOP_MS });
  }
  return hadService || (status?.pid ?? null) !== null;
}
