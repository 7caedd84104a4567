import { procedure } from "../trpc.ts";

export const blockGpu = procedure("targets.blockGpu", ({ ctx, principal, input }) =>
  ctx.services.blockGpu(principal, input),
);
