import { procedure } from "../trpc.ts";

export const createApiKey = procedure("apiKeys.create", ({ ctx, principal, input }) =>
  ctx.access.createApiKey(principal, input),
);
