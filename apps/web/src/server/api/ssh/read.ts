import { procedure } from "../trpc.ts";

export const readSsh = procedure("ssh.read", ({ ctx, principal, input, signal }) =>
  ctx.ssh.read(principal, input, signal),
);
