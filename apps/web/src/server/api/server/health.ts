import { procedure } from "../trpc.ts";

export const getServerHealth = procedure("server.health", async ({ ctx }) => await ctx.health());
