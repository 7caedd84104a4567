import { procedure } from "../trpc.ts";

export const listQueues = procedure("queues.list", ({ ctx, principal }) =>
  ctx.services.listQueues(principal),
);
