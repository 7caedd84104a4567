import { NexusError } from "@nexus/shared/errors";
import type { ParsedInput } from "../../services/services.ts";
import { procedure } from "../trpc.ts";

export const startSsh = procedure("ssh.start", ({ ctx, principal, input }) => {
  if (holdsSecrets(input) && !ctx.isConfidential) {
    throw new NexusError("bad_request", {
      detail:
        "This server was reached by plain http: keys and passwords are not taken that way. Reach it by https (NEXUS_PUBLIC_URL), or from its own machine. What was sent may have been read: change it.",
    });
  }
  return ctx.ssh.start(principal, input);
});

function holdsSecrets({ credentials, hosts, cloudflareToken }: ParsedInput<"ssh.start">): boolean {
  const all = [credentials, ...hosts.flatMap((host) => host.credentials ?? [])];
  return (
    cloudflareToken !== undefined ||
    all.some(({ password, keys }) => password !== undefined || keys.length > 0)
  );
}
