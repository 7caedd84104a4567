/** The commands that enrol a machine. Pure. */
import type { OutputOf } from "@nexus/shared/api/contract";

export type CreatedToken = OutputOf<"enrollTokens.create">;

/** `quick` is the server's own one-liner; `careful` gives the same token through the environment, out of sight of `ps`. */
export function enrollCommands({ command, secret }: Pick<CreatedToken, "command" | "secret">): {
  quick: string;
  careful: string;
} {
  const without = command.replace(secret, "").replaceAll(/\s+/g, " ").trim();
  return { quick: command, careful: `NEXUS_ENROLL_TOKEN='${secret}' ${without}` };
}
