import { procedure } from "../trpc.ts";

export const listFleet = procedure("fleet.list", ({ ctx, principal }) => ({
  targets: ctx.services.fleet.list(principal.teamId),
  nowMs: ctx.clock.nowMs(),
}));
