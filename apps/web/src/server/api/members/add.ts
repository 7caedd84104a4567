import { procedure } from "../trpc.ts";

export const addMember = procedure("members.add", ({ ctx, principal, input }) =>
  ctx.access.addMember(principal, input),
);
