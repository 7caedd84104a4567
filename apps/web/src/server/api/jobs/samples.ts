import { procedure } from "../trpc.ts";

export const listJobSamples = procedure("jobs.samples", ({ ctx, principal, input }) =>
  ctx.services.listJobSamples(principal, input.job),
);
