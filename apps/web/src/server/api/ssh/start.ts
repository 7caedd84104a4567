import { procedure } from "../trpc.ts";

export const startSsh = procedure("ssh.start", ({ ctx, principal, input }) =>
  ctx.ssh.start(principal, input),
);
