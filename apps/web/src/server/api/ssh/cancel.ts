import { procedure } from "../trpc.ts";

export const cancelSsh = procedure("ssh.cancel", ({ ctx, principal, input }) => {
  ctx.ssh.cancel(principal, input.id);
  return { ok: true as const };
});
