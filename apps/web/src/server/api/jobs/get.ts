import { procedure } from "../trpc.ts";

export const getJob = procedure("jobs.get", ({ ctx, principal, input }) =>
  ctx.services.getJob(principal, input.job),
);
