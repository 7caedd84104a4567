/**
 * Makes a machine a target without putting anything on it but a key of ours: the control plane runs jobs there over SSH. Safe to
 * repeat: the same way is the same target.
 */
import type { Target } from "@nexus/shared/api/schemas";
import { AGENTLESS_LIMITS, type SshHost } from "@nexus/shared/api/ssh";
import { NexusError } from "@nexus/shared/errors";
import { newId } from "@nexus/shared/ids";
import { judgeMachine } from "../../core/ssh/judge-machine.ts";
import type { Database } from "../../db/database.ts";
import { insertSshTarget } from "../../db/queries/insert-ssh-target.ts";
import { listAgentlessTargets } from "../../db/queries/list-agentless-targets.ts";
import { listTargetWays } from "../../db/queries/list-target-ways.ts";
import { recordAudit } from "../record-audit.ts";
import { connectMachine } from "./connect-machine.ts";
import { rememberWay, report } from "./enrol-machine.ts";
import { examineMachine } from "./examine-machine.ts";
import { keepKey } from "./keep-key.ts";
import { type MachineWork, rowOf } from "./machine-work.ts";
import { aliasOf, isMeant, isWayOf, wayOf } from "./reach-machine.ts";
import type { SshContext } from "./ssh-context.ts";
import { switchTarget } from "./switch-target.ts";
import { untilOnline } from "./until-online.ts";

export async function addAgentless(ctx: SshContext, work: MachineWork): Promise<Target> {
  const { run, index, input } = work;
  const { signal } = run;
  run.set(index, { step: "connect" });
  const { session, transport } = await connectMachine(ctx, work);
  try {
    run.teller(index, "connect")("done", `Connected: ${transport}, by ${session.facts.acceptedBy}.`);
    run.set(index, { step: "preflight" });
    const { facts, hasIdentity } = await examineMachine(session, { origins: [], folder: "jobs", signal });
    const nowS = Math.round(ctx.clock.nowMs() / 1000);
    report(judgeMachine(facts, { ...input, isAgentless: true, nowS }), run.teller(index, "preflight"));

    run.set(index, { step: "enrol" });
    const target = await targetOf(ctx, work, hasIdentity);
    run.set(index, { target: { id: target.id, name: target.name } });
    const formerWay = await rememberWay(ctx, work, target);
    run.set(index, { step: "key" });
    await keepKey(ctx, session, { work, target, formerWay });
    run.set(index, { step: "online" });
    await ctx.serveAgentless(await rowOf(ctx, run, target));
    return await untilOnline(ctx, work, { agent: null, target });
  } finally {
    await session.close();
  }
}

async function targetOf(ctx: SshContext, work: MachineWork, hasIdentity: boolean): Promise<Target> {
  const { run, index, host, input } = work;
  const { teamId } = run.principal;
  const tell = run.teller(index, "enrol");
  const isSame = isWayOf(host);
  const before = (await listAgentlessTargets(ctx.db, null)).find(
    (one) => one.teamId === teamId && isSame(one),
  );
  const known = before === undefined ? null : ctx.findTarget(teamId, before.publicId);
  if (known !== null) {
    tell("skip", `It is ${known.name} (${known.id}) already, without an agent.`);
    return known;
  }
  const withAgent = (await listTargetWays(ctx.db, teamId)).filter(({ kind }) => kind === "agent");
  const served = withAgent.filter(isSame).find(isMeant(host));
  const itsAgents = served === undefined ? null : ctx.findTarget(teamId, served.publicId);
  if (itsAgents !== null) return await withoutItsAgent(ctx, work, itsAgents);
  const publicId = newId("target", ctx.randomBytes);
  const { targetId, name } = await ctx.db.transaction(async (tx) => {
    const made = await insertUnderFreeName(tx, { publicId, teamId, labels: input.labels, host });
    if (made === null) throw nameTaken(ctx, teamId, host.name ?? sshNameOf(nameOf(host)));
    await recordAudit(tx, run.principal, {
      action: "target.added_agentless",
      subject: publicId,
      detail: `${made.name}: ${wayOf(host)}, without an agent.`,
      atMs: ctx.clock.nowMs(),
    });
    return made;
  });
  await ctx.refreshTarget(targetId);
  const target = ctx.findTarget(teamId, publicId);
  if (target === null) throw new NexusError("not_found", { detail: `${name} left the fleet meanwhile.` });
  tell("done", `Added ${name} (${publicId}), without an agent.`);
  if (hasIdentity)
    tell(
      "warn",
      "An agent is enrolled on it that was not brought over SSH. Where it is of this fleet the machine is two targets now: jobs of the one see nothing of the other's, so cordon one of them.",
    );
  for (const text of AGENTLESS_LIMITS) tell("info", text);
  return target;
}

/** The same machine, whose agent is stopped: the same target goes on without it. */
async function withoutItsAgent(
  ctx: SshContext,
  { run, index }: MachineWork,
  target: Target,
): Promise<Target> {
  const { name } = target;
  if (target.state === "connected") {
    throw new NexusError("invalid_state", {
      detail: `The agent of ${name} is connected, and jobs go to it. Stop it there first (nexus-agent uninstall-service, with --keep-running where a loop of the shell keeps it), then run this again; or make a target of its own beside it: --name ${sshNameOf(name)}`,
    });
  }
  await switchTarget(ctx, run.principal, { target, targetId: await rowOf(ctx, run, target), kind: "ssh" });
  const tell = run.teller(index, "enrol");
  tell(
    "done",
    `${name} (${target.id}) goes on without its agent, which gets no jobs until it is enrolled again.`,
  );
  for (const text of AGENTLESS_LIMITS) tell("info", text);
  return ctx.findTarget(run.principal.teamId, target.id) ?? target;
}

type Named = { publicId: string; teamId: string; labels: Record<string, string>; host: SshHost };

/** A name that a person chose is that one or none; one that was taken from the address may be the machine's own agent's. */
async function insertUnderFreeName(
  db: Database,
  { host, ...given }: Named,
): Promise<{ targetId: number; name: string } | null> {
  const own = nameOf(host);
  for (const name of host.name === undefined ? [own, sshNameOf(own)] : [host.name]) {
    const targetId = await insertSshTarget(db, { ...given, name });
    if (targetId !== null) return { targetId, name };
  }
  return null;
}

function nameTaken(ctx: SshContext, teamId: string, name: string): NexusError {
  const holder = ctx.findTarget(teamId, name);
  const detail =
    holder?.kind === "agent"
      ? `${name} is a target with an agent. Without one the same machine is a target of its own, to which jobs go while the agent is stopped: --name ${sshNameOf(name)}`
      : `Another target is named ${name}. Choose another: --name ${sshNameOf(name)}`;
  return new NexusError("conflict", { detail });
}

const sshNameOf = (name: string) => `${name.slice(0, 59)}-ssh`;

/** What it is called, or of its address what a name may hold. */
function nameOf(machine: SshHost): string {
  const name = (aliasOf(machine) ?? machine.host)
    .toLowerCase()
    .replaceAll(/[^a-z0-9._-]/g, "-")
    .slice(0, 60);
  return name.replace(/^[^a-z0-9]+/, "").replace(/[^a-z0-9]+$/, "") || "ssh";
}
