import { procedure } from "../trpc.ts";

export const setMemberRole = procedure("members.setRole", ({ ctx, principal, input }) =>
  ctx.access.setMemberRole(principal, input),
);
