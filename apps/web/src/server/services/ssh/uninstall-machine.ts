/**
 * Gives a machine back: service and agent end, it leaves the fleet with a goodbye of its own, its files and our key go. Refused while
 * jobs run on it. Safe to repeat; what is gone already is said to be.
 */
import type { Target } from "@nexus/shared/api/schemas";
import { NexusError } from "@nexus/shared/errors";
import { runScript } from "@nexus/ssh/exec/run-remote";
import { revokeKey } from "@nexus/ssh/keys/authorized-keys";
import type { SshSession } from "@nexus/ssh/session";
import { judgeMachine, type MachineFacts, type MachinePlan } from "../../core/ssh/judge-machine.ts";
import { deleteTargetSsh } from "../../db/queries/delete-target-ssh.ts";
import { findNodeKey } from "../../db/queries/find-node-key.ts";
import { findTargetSsh } from "../../db/queries/find-target-ssh.ts";
import { findTeamTarget } from "../../db/queries/find-team-target.ts";
import { tidyRuns } from "./agentless/tidy-runs.ts";
import { askNode, refuseUnproven } from "./ask-node.ts";
import { connectMachine } from "./connect-machine.ts";
import { examineMachine, type FoundKit } from "./examine-machine.ts";
import { endAgent, refuseNodeOfOtherTeam } from "./join-fleet.ts";
import { revokeOnTheWay } from "./keep-key.ts";
import type { MachineWork } from "./machine-work.ts";
import { type AgentCommands, agentCommands, type RemoteStatus } from "./remote-agent.ts";
import type { SshContext } from "./ssh-context.ts";

const REMOVE_MS = 60_000;

/** Job folders that are not settled stay, and are named. */
const REMOVE = `
set -u
cd "$HOME/.nexus-agent" 2>/dev/null || { echo gone; exit 0; }
rm -rf kit service agent.log agent.log.old keep-running.pid status.json
left=$(ls -A attempts 2>/dev/null | head -n 1)
if [ -n "$left" ]; then echo "left: $HOME/.nexus-agent/attempts"; else cd "$HOME" && rm -rf .nexus-agent; fi
`;

/** @returns what is true of the machine then, in a sentence. */
export async function uninstallMachine(ctx: SshContext, work: MachineWork): Promise<string> {
  const { run, index, input } = work;
  const { principal, signal } = run;
  const tell = run.teller(index, "uninstall");
  const named = ctx.findTarget(principal.teamId, run.host(index).target?.id ?? "");

  run.set(index, { step: "connect" });
  const { session, transport } = await connectMachine(ctx, work);
  try {
    run.teller(index, "connect")("done", `Connected: ${transport}, by ${session.facts.acceptedBy}.`);
    run.set(index, { step: "uninstall" });
    // One that was switched has an agent of its own too.
    const isAgentless = named?.kind === "ssh";
    if (isAgentless && (await findNodeKey(ctx.db, named.id)) === null)
      return await leaveAgentless(ctx, work, { session, target: named });
    const { facts, kit, hasIdentity } = await examineMachine(session, {
      origins: [],
      folder: "agent",
      signal,
    });
    const plan = judgeMachine(facts, { ...input, allowRoot: true, nowS: facts.epochS ?? 0 });
    const agent = agentOf(session, { facts, kit, plan, signal });
    if (agent === null && hasIdentity) {
      throw new NexusError("conflict", {
        detail: `It is a node whose agent was not brought over SSH, and may run. Nothing was touched. On the machine: nexus-agent uninstall-service, then nexus-agent unenroll.`,
      });
    }
    const status = agent === null ? null : await askNode(ctx, agent);
    if (status !== null) await refuseUnproven(ctx, status);
    if (status === null)
      tell(
        "skip",
        agent === null ? "There is no agent that Nexus brought here." : "The machine is not enrolled.",
      );

    const found = status === null ? null : await targetOf(ctx, work, status);
    if (found !== null && named !== null && found.id !== named.id) {
      throw new NexusError("conflict", {
        detail: `The agent there is ${found.name}, not ${named.name}. Nothing was touched. Name ${found.name}, or remove ${named.name} from the fleet alone: nexus targets remove ${named.name}`,
      });
    }
    const target = found ?? run.host(index).target;
    const row = target === null ? null : await findTeamTarget(ctx.db, principal.teamId, target.id);
    const way = row === null ? null : await findTargetSsh(ctx.db, row.id);
    if (target !== null) run.set(index, { target: { id: target.id, name: target.name } });
    if (agent !== null && status !== null) {
      const ended = await endAgent(session, { agent, plan, status, signal });
      tell(ended ? "done" : "skip", ended ? "Service and agent are ended." : "No agent ran.");
      tell("done", (await agent.unenroll()).trim().split("\n").at(-1) ?? "It left the fleet.");
    }
    const removing = { what: "removing files", text: REMOVE, args: [] };
    const said = (await runScript(session, removing, { signal, timeoutMs: REMOVE_MS })).trim();
    if (said.startsWith("left")) tell("warn", `Unsettled jobs stay in ${said.slice("left: ".length)}`);
    else tell(said === "gone" ? "skip" : "done", "Nothing of Nexus is left in ~/.nexus-agent.");
    if (target !== null && ctx.findTarget(principal.teamId, target.id) !== null) {
      await ctx.removeTarget(principal, target.id);
      tell("done", `${target.name} is removed from the fleet.`);
    }
    const isTidy = row === null || (await tidyRuns(session, { db: ctx.db, targetId: row.id, tell, signal }));
    await takeKeyBack(ctx, work, { session, way });
    if (row !== null) await deleteTargetSsh(ctx.db, row.id);
    return isTidy ? "Nothing of Nexus is left on it." : "It is given back; what stays there is named above.";
  } finally {
    await session.close();
  }
}

/** The target that was named and no other: an agent of the same machine is a target of its own, and stays. */
async function leaveAgentless(
  ctx: SshContext,
  work: MachineWork,
  { session, target }: { session: SshSession; target: Target },
): Promise<string> {
  const { run, index } = work;
  const tell = run.teller(index, "uninstall");
  refuseWithJobs(target);
  const row = await findTeamTarget(ctx.db, run.principal.teamId, target.id);
  const way = row === null ? null : await findTargetSsh(ctx.db, row.id);
  await ctx.removeTarget(run.principal, target.id);
  tell("done", `${target.name} is removed from the fleet.`);
  const tidying = { db: ctx.db, tell, signal: run.signal };
  const isTidy = row === null || (await tidyRuns(session, { ...tidying, targetId: row.id }));
  await takeKeyBack(ctx, work, { session, way });
  if (row !== null) await deleteTargetSsh(ctx.db, row.id);
  return isTidy
    ? `Nothing of ${target.name} is left on it.`
    : `${target.name} is given back; what stays there is named above.`;
}

/** Last on the machine: until here a run that broke off can be repeated with this key. */
async function takeKeyBack(
  ctx: SshContext,
  work: MachineWork,
  { session, way }: { session: SshSession; way: Awaited<ReturnType<typeof findTargetSsh>> },
): Promise<void> {
  if (!way?.publicKey) return;
  const tell = work.run.teller(work.index, "uninstall");
  const had = await revokeKey(session, way.publicKey);
  tell(had ? "done" : "skip", had ? "Our key is taken out of authorized_keys." : "Our key was not there.");
  await revokeOnTheWay(ctx, work, { key: way.publicKey });
}

type Found = { facts: MachineFacts; kit: FoundKit; plan: MachinePlan; signal: AbortSignal };

/** Null where nothing of ours can be run. */
function agentOf(session: SshSession, { facts, kit, plan, signal }: Found): AgentCommands | null {
  const folder = `${facts.home}/.nexus-agent/kit`;
  const nodePath = kit.nodeSha256 === null ? plan.nodePath : `${folder}/node`;
  if (kit.scriptSha256 === null || nodePath === null) return null;
  const remote = { nodePath, scriptPath: `${folder}/nexus-agent.js` };
  return agentCommands(session, remote, { uid: facts.uid, gpus: undefined, signal });
}

/** Null when it left this fleet before. @throws NexusError when it must not be touched. */
async function targetOf(
  ctx: SshContext,
  { run }: MachineWork,
  { node }: RemoteStatus,
): Promise<Target | null> {
  const target = ctx.findTarget(run.principal.teamId, node.nodeId);
  if (target === null) await refuseNodeOfOtherTeam(ctx, run.principal.teamId, node);
  if (target === null && !ctx.origins().includes(node.origin)) {
    throw new NexusError("conflict", {
      detail: `It is a node of another control plane: ${node.name} at ${node.origin}. Nothing was touched.`,
    });
  }
  if (target !== null) refuseWithJobs(target);
  return target;
}

function refuseWithJobs(target: Target): void {
  if (target.jobsActive > 0) {
    const jobs = `${target.jobsActive} ${target.jobsActive === 1 ? "job" : "jobs"}`;
    throw new NexusError("invalid_state", {
      detail: `${target.name} runs ${jobs}. Drain it first: nexus targets cordon ${target.name} --drain`,
    });
  }
}
