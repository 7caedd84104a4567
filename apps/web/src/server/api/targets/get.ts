import { procedure } from "../trpc.ts";

export const getTarget = procedure("targets.get", ({ ctx, principal, input }) =>
  ctx.services.fleet.get(principal.teamId, input.target),
);
