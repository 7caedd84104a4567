/**
 * Makes a machine a target without putting anything on it but a key of ours: the control plane runs jobs there over SSH. Safe to
 * repeat: the same way is the same target.
 */
import type { Target } from "@nexus/shared/api/schemas";
import { NexusError } from "@nexus/shared/errors";
import { newId } from "@nexus/shared/ids";
import { judgeMachine } from "../../core/ssh/judge-machine.ts";
import { insertSshTarget } from "../../db/queries/insert-ssh-target.ts";
import { listAgentlessTargets } from "../../db/queries/list-agentless-targets.ts";
import { recordAudit } from "../record-audit.ts";
import { connectMachine } from "./connect-machine.ts";
import { rememberWay, report } from "./enrol-machine.ts";
import { examineMachine } from "./examine-machine.ts";
import { keepKey } from "./keep-key.ts";
import { type MachineWork, rowOf } from "./machine-work.ts";
import { addressOf } from "./reach-machine.ts";
import type { SshContext } from "./ssh-context.ts";
import { untilOnline } from "./until-online.ts";

export async function addAgentless(ctx: SshContext, work: MachineWork): Promise<Target> {
  const { run, index, input } = work;
  const { signal } = run;
  run.set(index, { step: "connect" });
  const { session, transport } = await connectMachine(ctx, work);
  try {
    run.teller(index, "connect")("done", `Connected: ${transport}, by ${session.facts.acceptedBy}.`);
    run.set(index, { step: "preflight" });
    const { facts } = await examineMachine(session, [], signal);
    const nowS = Math.round(ctx.clock.nowMs() / 1000);
    report(judgeMachine(facts, { ...input, isAgentless: true, nowS }), run.teller(index, "preflight"));

    run.set(index, { step: "enrol" });
    const target = await targetOf(ctx, work);
    run.set(index, { target: { id: target.id, name: target.name } });
    await rememberWay(ctx, work, target);
    run.set(index, { step: "key" });
    await keepKey(ctx, session, { work, target });
    run.set(index, { step: "online" });
    await ctx.serveAgentless(await rowOf(ctx, run, target));
    return await untilOnline(ctx, work, { agent: null, target });
  } finally {
    await session.close();
  }
}

async function targetOf(ctx: SshContext, { run, index, host, input }: MachineWork): Promise<Target> {
  const { teamId } = run.principal;
  const tell = run.teller(index, "enrol");
  const isSame = (one: Awaited<ReturnType<typeof listAgentlessTargets>>[number]) =>
    one.teamId === teamId && one.host === host.host && one.port === host.port && one.user === host.user;
  const before = (await listAgentlessTargets(ctx.db, null)).find(isSame);
  const known = before === undefined ? null : ctx.findTarget(teamId, before.publicId);
  if (known !== null) {
    tell("skip", `It is ${known.name} (${known.id}) already, without an agent.`);
    return known;
  }
  const publicId = newId("target", ctx.randomBytes);
  const name = host.name ?? nameOf(host.host);
  const targetId = await ctx.db.transaction(async (tx) => {
    const id = await insertSshTarget(tx, { publicId, teamId, name, labels: input.labels });
    if (id === null)
      throw new NexusError("conflict", {
        detail: `Another target is named ${name}. Choose another (--name).`,
      });
    await recordAudit(tx, run.principal, {
      action: "target.added_agentless",
      subject: publicId,
      detail: `${name}: ${addressOf(host)}, without an agent.`,
      atMs: ctx.clock.nowMs(),
    });
    return id;
  });
  await ctx.refreshTarget(targetId);
  const target = ctx.findTarget(teamId, publicId);
  if (target === null) throw new NexusError("not_found", { detail: `${name} left the fleet meanwhile.` });
  tell("done", `Added ${name} (${publicId}), without an agent.`);
  return target;
}

/** Of an address what a name may hold. */
function nameOf(host: string): string {
  const name = host
    .toLowerCase()
    .replaceAll(/[^a-z0-9._-]/g, "-")
    .slice(0, 60);
  return name.replace(/^[^a-z0-9]+/, "").replace(/[^a-z0-9]+$/, "") || "ssh";
}
