import { procedure } from "../trpc.ts";

export const replaceSshHostKey = procedure("ssh.replaceHostKey", ({ ctx, principal, input }) =>
  ctx.ssh.replaceHostKey(principal, input),
);
