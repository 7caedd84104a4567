import type { Target } from "@nexus/shared/api/schemas";
import type { SshHost } from "@nexus/shared/api/ssh";
import { NexusError } from "@nexus/shared/errors";
import { findTeamTarget } from "../../db/queries/find-team-target.ts";
import type { ParsedInput } from "../services.ts";
import type { Reach } from "./reach-machine.ts";
import type { SshContext } from "./ssh-context.ts";
import type { SshRun } from "./ssh-run.ts";

/** One machine of a run. */
export type MachineWork = {
  run: SshRun;
  index: number;
  host: SshHost;
  reach: Reach;
  input: ParsedInput<"ssh.start">;
};

/** The target's key in the database. */
export async function rowOf(
  ctx: SshContext,
  run: SshRun,
  target: Pick<Target, "id" | "name">,
): Promise<number> {
  const row = await findTeamTarget(ctx.db, run.principal.teamId, target.id);
  if (row === null) throw new NexusError("not_found", { detail: `${target.name} left the fleet meanwhile.` });
  return row.id;
}
