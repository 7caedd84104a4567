import { procedure } from "../trpc.ts";

export const listMembers = procedure("members.list", ({ ctx, principal }) =>
  ctx.access.listMembers(principal),
);
