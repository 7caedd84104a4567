import { procedure } from "../trpc.ts";

export const createEnrollToken = procedure("enrollTokens.create", ({ ctx, principal, input }) =>
  ctx.enrollTokens.createEnrollToken(principal, input),
);
