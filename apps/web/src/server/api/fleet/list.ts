import { procedure } from "../trpc.ts";

export const listFleet = procedure("fleet.list", ({ ctx, principal }) => ({
  targets: ctx.services.fleet.list(principal.teamId),
  problems: ctx.services.problems(),
  nowMs: ctx.clock.nowMs(),
}));
