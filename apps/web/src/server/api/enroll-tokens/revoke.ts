import { procedure } from "../trpc.ts";

export const revokeEnrollToken = procedure("enrollTokens.revoke", ({ ctx, principal, input }) =>
  ctx.enrollTokens.revokeEnrollToken(principal, input),
);
