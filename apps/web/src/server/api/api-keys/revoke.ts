import { procedure } from "../trpc.ts";

export const revokeApiKey = procedure("apiKeys.revoke", ({ ctx, principal, input }) =>
  ctx.access.revokeApiKey(principal, input.id),
);
