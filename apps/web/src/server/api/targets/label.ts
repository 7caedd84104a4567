import { procedure } from "../trpc.ts";

export const labelTarget = procedure("targets.label", ({ ctx, principal, input }) =>
  ctx.services.labelTarget(principal, input),
);
