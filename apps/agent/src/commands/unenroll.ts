/** `nexus-agent unenroll`: says goodbye to the control plane, signed, and takes the identity off this machine. */
import { join } from "node:path";
import { NexusError } from "@nexus/shared/errors";
import type { Command } from "commander";
import { type CliContext, say } from "../cli-context.ts";
import { readJournal } from "../exec/read-journal.ts";
import { sayGoodbye } from "../link/enroll.ts";
import { type Identity, removeIdentity, requireIdentity } from "../link/identity-store.ts";
import { runningAgent } from "../running-agent.ts";
import { showText } from "../show-text.ts";

export function addUnenroll(program: Command, context: CliContext): void {
  program
    .command("unenroll")
    .description("take this machine out of the fleet and remove its identity")
    .option("--force", "also when the agent runs, has jobs, or the control plane cannot be told")
    .action((options: { force?: boolean }) => unenroll(context, options.force === true));
}

async function unenroll(context: CliContext, isForced: boolean): Promise<void> {
  const identity = await requireIdentity(context.home);
  if (!isForced) await refuseWhileInUse(context);
  await tellServer(context, identity, isForced);
  await removeIdentity(context.home);
  say(
    context,
    `This machine is not ${showText(identity.name)} any more: its identity is removed from ${context.home}.`,
  );
}

async function refuseWhileInUse(context: CliContext): Promise<void> {
  const pid = await runningAgent(context.home);
  if (pid !== null) {
    throw new NexusError("conflict", {
      detail: `The agent (pid ${pid}) runs. Stop it first (nexus-agent uninstall-service, or end that process), or add --force: it then ends by itself.`,
    });
  }
  const { attempts } = await readJournal(join(context.home, "attempts.journal"));
  if (attempts.size > 0) {
    throw new NexusError("invalid_state", {
      detail: `${attempts.size} jobs of this node are not settled with the control plane; leaving now loses their results and the rest of their logs. Run the agent until they are, or add --force.`,
    });
  }
}

async function tellServer(context: CliContext, identity: Identity, isForced: boolean): Promise<void> {
  try {
    await sayGoodbye(identity);
    say(context, `${identity.origin} was told: ${showText(identity.name)} has left the fleet.`);
  } catch (error) {
    if (!(error instanceof NexusError)) throw error;
    // Removed there before, which is what we want.
    if (error.code === "signature_invalid" || error.code === "node_revoked") return;
    if (!isForced) {
      throw new NexusError(error.code, {
        detail: `${error.message} The node would stay in the fleet's list. Try again later, or add --force and remove it in the dashboard.`,
        cause: error,
      });
    }
    say(context, `${showText(error.message)} Remove ${showText(identity.name)} in the dashboard.`);
  }
}
