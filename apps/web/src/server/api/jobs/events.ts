import { procedure } from "../trpc.ts";

export const listJobEvents = procedure("jobs.events", ({ ctx, principal, input }) =>
  ctx.services.listJobEvents(principal, input.job),
);
