import { procedure } from "../trpc.ts";

export const requeueJobs = procedure("jobs.requeue", ({ ctx, principal, input }) =>
  ctx.services.requeueJobs(principal, input),
);
