import { procedure } from "../trpc.ts";

export const cordonTarget = procedure("targets.cordon", ({ ctx, principal, input }) =>
  ctx.services.cordonTarget(principal, input),
);
