import { procedure } from "../trpc.ts";

export const watchSsh = procedure("ssh.watch", ({ ctx, principal, input, signal }) =>
  ctx.ssh.watch(principal, input.id, signal),
);
