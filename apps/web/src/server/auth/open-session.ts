import { createAuthEndpoint } from "better-auth/api";
import { setSessionCookie } from "better-auth/cookies";
import * as z from "zod";

/** Opens a session for a user whose one-time link was just taken. Called from our own code only; no route leads here. */
export function openSessionPlugin() {
  return {
    id: "nexus-open-session",
    endpoints: {
      openSession: createAuthEndpoint.serverOnly(
        { method: "POST", body: z.object({ userId: z.string() }) },
        async (ctx) => {
          const user = await ctx.context.internalAdapter.findUserById(ctx.body.userId);
          if (!user) return ctx.json({ opened: false });
          const session = await ctx.context.internalAdapter.createSession(user.id, false, {
            openedBy: "link",
          });
          await setSessionCookie(ctx, { session, user });
          return ctx.json({ opened: true });
        },
      ),
    },
  };
}
