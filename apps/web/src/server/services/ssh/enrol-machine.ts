/**
 * Makes one machine a target, over SSH, in steps: connect, preflight, copy, enrol, service, key, online. Each step looks first whether it
 * is done, so a run that broke off is repeated as it was begun. The token is made for this machine alone, when it is needed, travels
 * by standard input, and is revoked when it was not used.
 */
import type { Target } from "@nexus/shared/api/schemas";
import type { SshHost, SshStep } from "@nexus/shared/api/ssh";
import { NexusError } from "@nexus/shared/errors";
import { judgeMachine, type MachinePlan } from "../../core/ssh/judge-machine.ts";
import { findTargetSsh } from "../../db/queries/find-target-ssh.ts";
import { putTargetSsh } from "../../db/queries/put-target-ssh.ts";
import { connectMachine } from "./connect-machine.ts";
import { copyAgent } from "./copy-agent.ts";
import { examineMachine } from "./examine-machine.ts";
import { joinFleet } from "./join-fleet.ts";
import { keepKey } from "./keep-key.ts";
import { type MachineWork, rowOf } from "./machine-work.ts";
import { hostKeyNameOf, wayOf } from "./reach-machine.ts";
import { agentCommands } from "./remote-agent.ts";
import type { SshContext } from "./ssh-context.ts";
import type { Teller } from "./ssh-run.ts";
import { startService } from "./start-service.ts";
import { sealCloudflareToken } from "./target-secrets.ts";
import { untilOnline } from "./until-online.ts";

const ORIGINS_MAX = 6;

export async function enrolMachine(ctx: SshContext, work: MachineWork): Promise<Target> {
  const { run, index, input } = work;
  const { signal } = run;
  const step = (name: SshStep) => run.set(index, { step: name });
  const tell = (name: SshStep) => run.teller(index, name);

  step("connect");
  const { session, transport } = await connectMachine(ctx, work);
  try {
    tell("connect")(
      "done",
      `Connected: ${transport}, as ${session.facts.user}, by ${session.facts.acceptedBy}.`,
    );

    step("preflight");
    const { facts, kit } = await examineMachine(session, {
      origins: ctx.origins().slice(0, ORIGINS_MAX),
      folder: "agent",
      signal,
    });
    const nowS = Math.round(ctx.clock.nowMs() / 1000);
    const plan = judgeMachine(facts, { ...input, nowS });
    report(plan, tell("preflight"));

    step("copy");
    const copying = { home: facts.home, plan, found: kit, kit: ctx.kit, tell: tell("copy"), signal };
    const remote = await copyAgent(session, copying);
    const agent = agentCommands(session, remote, { uid: facts.uid, gpus: input.gpus, signal });

    step("enrol");
    const target = await joinFleet(ctx, work, { session, agent, plan });
    run.set(index, { target: { id: target.id, name: target.name } });
    const formerWay = await rememberWay(ctx, work, target);

    step("service");
    const serving = { agent, plan, user: facts.user, tell: tell("service") };
    await startService(session, work, serving);

    if (input.keepKey) {
      step("key");
      await keepKey(ctx, session, { work, target, formerWay });
    }

    step("online");
    return await untilOnline(ctx, work, { agent, target });
  } finally {
    await session.close();
  }
}

/** @throws NexusError when something stands in the way. */
export function report({ findings }: MachinePlan, tell: Teller): void {
  for (const { level, text, fix } of findings) {
    tell(level, text);
    if (fix !== undefined) tell("fix", fix);
  }
  const problems = findings.filter(({ level }) => level === "error");
  if (problems.length > 0) {
    throw new NexusError("invalid_state", { detail: problems.map(({ text }) => text).join(" ") });
  }
  tell("done", "Nothing stands in the way.");
}

/** How the machine is reached, for the next time. @returns how it was before, where that was another way. */
export async function rememberWay(
  ctx: SshContext,
  { run, index, host, input }: MachineWork,
  target: Target,
): Promise<Pick<SshHost, "jumps"> | null> {
  const { host: name, port, user, jumps, transports, legacy: isLegacy } = host;
  const way = { host: name, port, user, jumps, transports, isLegacy, hostKeyName: hostKeyNameOf(host) };
  const targetId = await rowOf(ctx, run, target);
  const before = await findTargetSsh(ctx.db, targetId);
  const isAnother = before !== null && wayOf(before) !== wayOf(host);
  if (isAnother) {
    run.teller(index, "enrol")(
      "warn",
      `It is reached by ${wayOf(host)} from now on, not by ${wayOf(before)}.`,
    );
  }
  const token = tokenToKeep(ctx, input, { target, transports });
  await putTargetSsh(ctx.db, { targetId, ...way, ...token, updatedAt: new Date(ctx.clock.nowMs()) });
  return isAnother ? { jumps: before.jumps } : null;
}

/** Beside a key only: without one nobody comes back alone. One that is not given again stays for as long as the way needs it. */
function tokenToKeep(
  { masterKey }: SshContext,
  { act, keepKey: isKeyKept, cloudflareToken: token }: MachineWork["input"],
  { target, transports }: { target: Target; transports: SshHost["transports"] },
): { sealedCloudflareToken?: string | null } {
  if (!transports.some(({ kind }) => kind === "cloudflare")) return { sealedCloudflareToken: null };
  const isKept = token !== undefined && (isKeyKept || act === "agentless");
  return isKept ? { sealedCloudflareToken: sealCloudflareToken(masterKey, target.id, token) } : {};
}
