import { procedure } from "../trpc.ts";

export const submitJobs = procedure("jobs.submit", ({ ctx, principal, input }) =>
  ctx.services.submitJobs(principal, input),
);
