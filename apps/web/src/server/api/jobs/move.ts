import { procedure } from "../trpc.ts";

export const moveJobs = procedure("jobs.move", ({ ctx, principal, input }) =>
  ctx.services.moveJobs(principal, input),
);
