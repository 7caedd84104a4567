import { procedure } from "../trpc.ts";

export const renameTarget = procedure("targets.rename", ({ ctx, principal, input }) =>
  ctx.services.renameTarget(principal, input),
);
