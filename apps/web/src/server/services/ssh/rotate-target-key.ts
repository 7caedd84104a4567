/** A new key for a target in the place of the one that is kept for it. Safe to repeat: each time makes one that is newer. */
import { NexusError } from "@nexus/shared/errors";
import { connectMachine } from "./connect-machine.ts";
import { keepKey } from "./keep-key.ts";
import { type MachineWork, rowOf } from "./machine-work.ts";
import { wayOf } from "./reach-machine.ts";
import type { SshContext } from "./ssh-context.ts";

/** @returns what is true of the target then, in a sentence. */
export async function rotateTargetKey(ctx: SshContext, work: MachineWork): Promise<string> {
  const { run, index, host, input } = work;
  const target = ctx.findTarget(run.principal.teamId, run.host(index).target?.id ?? "");
  if (target === null) throw new NexusError("not_found", { detail: "It left the fleet meanwhile." });
  if (host.jumps.length > 0 && input.credentials.keys.length === 0) {
    throw new NexusError("invalid_state", {
      detail: `${target.name} is reached by ${wayOf(host)}. The key that is kept only leads on there: to put a new one on the machines before it, name a key of yours that they let in: nexus targets rotate-key ${target.name} --identity FILE`,
    });
  }
  const { keys = [], password } = work.reach.credentials;
  if (keys.length === 0 && password === undefined) {
    throw new NexusError("invalid_state", {
      detail: `No key is kept for ${target.name}. To have one made, let Nexus in this once: nexus targets rotate-key ${target.name} --identity FILE`,
    });
  }
  run.set(index, { step: "connect" });
  const { session, transport } = await connectMachine(ctx, work);
  try {
    run.teller(index, "connect")("done", `Connected: ${transport}, by ${session.facts.acceptedBy}.`);
    run.set(index, { step: "key" });
    await keepKey(ctx, session, { work, target, isRotation: true });
  } finally {
    await session.close();
  }
  // Whoever holds a connection to it knows the key of before.
  await ctx.serveAgentless(await rowOf(ctx, run, target));
  return `${target.name} lets Nexus in by its new key alone.`;
}
