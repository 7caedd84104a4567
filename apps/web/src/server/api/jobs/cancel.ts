import { procedure } from "../trpc.ts";

export const cancelJobs = procedure("jobs.cancel", ({ ctx, principal, input }) =>
  ctx.services.cancelJobs(principal, input),
);
