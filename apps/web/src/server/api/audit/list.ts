import { procedure } from "../trpc.ts";

export const listAudit = procedure("audit.list", ({ ctx, principal, input }) =>
  ctx.access.listAudit(principal, input),
);
