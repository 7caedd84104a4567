/**
 * One machine is one target, with an agent or without: which of the two serves it is switched in place, and name, labels, GPUs and
 * history stay. Invariants: only what has no open attempt is switched, so no attempt of the one side is ever judged by what the
 * other side finds on the machine; before the switch commits, nothing is sent to the side that served it.
 */
import type { Target } from "@nexus/shared/api/schemas";
import { NexusError } from "@nexus/shared/errors";
import { switchTargetKind } from "../../db/queries/switch-target-kind.ts";
import type { Principal } from "../ports.ts";
import { recordAudit } from "../record-audit.ts";
import type { SshContext } from "./ssh-context.ts";

const JOBS_SHOWN = 3;

export async function switchTarget(
  ctx: SshContext,
  principal: Principal,
  { target, targetId, kind }: { target: Pick<Target, "id" | "name">; targetId: number; kind: Target["kind"] },
): Promise<void> {
  await ctx.db.transaction(async (tx) => {
    const jobs = await switchTargetKind(tx, targetId, kind);
    if (jobs.length > 0) throw busy(target, kind, jobs);
    await recordAudit(tx, principal, {
      action: "target.switched",
      subject: target.id,
      detail: `${target.name} is served ${kind === "ssh" ? "without an agent" : "by its agent"} from now on.`,
      atMs: ctx.clock.nowMs(),
    });
    ctx.disconnect(targetId, "overloaded");
  });
  await ctx.refreshTarget(targetId);
}

function busy({ name }: Pick<Target, "name">, kind: Target["kind"], jobs: string[]): NexusError {
  const named = jobs.slice(0, JOBS_SHOWN).join(", ");
  const rest = jobs.length > JOBS_SHOWN ? ` and ${jobs.length - JOBS_SHOWN} more` : "";
  const detail =
    kind === "ssh"
      ? `The agent of ${name} has not told the end of ${named}${rest}, which may still run there: it stays the agent's until then. Start the agent again and let the jobs end, or make a target of its own beside it: --name ${name.slice(0, 59)}-ssh`
      : `${name} still has ${named}${rest} without an agent. Let them end first: nexus targets cordon ${name} --drain`;
  return new NexusError("invalid_state", { detail });
}
