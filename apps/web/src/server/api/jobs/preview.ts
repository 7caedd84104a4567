import { procedure } from "../trpc.ts";

export const previewJob = procedure("jobs.preview", ({ ctx, principal, input }) =>
  ctx.services.previewJob(principal, input),
);
