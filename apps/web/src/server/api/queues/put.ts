import { procedure } from "../trpc.ts";

export const putQueue = procedure("queues.put", ({ ctx, principal, input }) =>
  ctx.services.putQueue(principal, input),
);
