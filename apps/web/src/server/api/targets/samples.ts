import { procedure } from "../trpc.ts";

export const listTargetSamples = procedure("targets.samples", ({ ctx, principal, input }) =>
  ctx.services.listTargetSamples(principal, input),
);
