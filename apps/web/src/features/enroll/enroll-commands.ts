/** The commands that enrol a machine. Pure. */
import type { OutputOf } from "@nexus/shared/api/contract";

export type CreatedToken = OutputOf<"enrollTokens.create">;

/** `quick` is the one-liner that works soonest: with the package of this server, where npx takes it; `careful` gives the same token through the environment, out of sight of `ps`. */
export function enrollCommands({
  command,
  fromHere,
  secret,
}: Pick<CreatedToken, "command" | "fromHere" | "secret">): {
  quick: string;
  careful: string;
} {
  const best = fromHere?.command ?? command;
  const without = best.replace(secret, "").replaceAll(/\s+/g, " ").trim();
  return { quick: best, careful: `NEXUS_ENROLL_TOKEN='${secret}' ${without}` };
}
