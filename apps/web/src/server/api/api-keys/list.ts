import { procedure } from "../trpc.ts";

export const listApiKeys = procedure("apiKeys.list", ({ ctx, principal }) =>
  ctx.access.listApiKeys(principal),
);
