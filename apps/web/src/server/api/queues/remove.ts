import { procedure } from "../trpc.ts";

export const removeQueue = procedure("queues.remove", ({ ctx, principal, input }) =>
  ctx.services.removeQueue(principal, input),
);
