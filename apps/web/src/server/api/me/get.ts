import { procedure } from "../trpc.ts";

export const getMe = procedure("me.get", async ({ ctx, principal }) => ({
  ...(await ctx.access.getMe(principal)),
  server: ctx.server,
}));
