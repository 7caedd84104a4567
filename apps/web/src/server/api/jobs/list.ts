import { procedure } from "../trpc.ts";

export const listJobs = procedure("jobs.list", ({ ctx, principal, input }) =>
  ctx.services.listJobs(principal, input),
);
