import { NexusError } from "@nexus/shared/errors";
import type { CliContext } from "./cli-context.ts";

/** Jobs run as the agent's user: a fleet should not have root on its machines because somebody typed sudo. */
export function refuseRoot(context: CliContext, isAllowed: boolean | undefined): void {
  if (context.uid !== 0 || isAllowed === true) return;
  throw new NexusError("forbidden", {
    detail:
      "The agent would run as root, and so would every job that the team sends here. Run it as a normal user, or say that you mean it with --allow-root.",
  });
}
