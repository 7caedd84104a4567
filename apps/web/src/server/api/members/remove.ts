import { procedure } from "../trpc.ts";

export const removeMember = procedure("members.remove", ({ ctx, principal, input }) =>
  ctx.access.removeMember(principal, input.userId),
);
