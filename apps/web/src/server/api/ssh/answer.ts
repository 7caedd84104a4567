import { procedure } from "../trpc.ts";

export const answerSsh = procedure("ssh.answer", ({ ctx, principal, input }) => {
  ctx.ssh.answer(principal, input);
  return { ok: true as const };
});
