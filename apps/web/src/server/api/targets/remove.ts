import { procedure } from "../trpc.ts";

export const removeTarget = procedure("targets.remove", ({ ctx, principal, input }) =>
  ctx.services.removeTarget(principal, input),
);
