import { procedure } from "../trpc.ts";

export const listEnrollTokens = procedure("enrollTokens.list", ({ ctx, principal }) =>
  ctx.enrollTokens.listEnrollTokens(principal),
);
