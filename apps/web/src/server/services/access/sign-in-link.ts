import { NexusError } from "@nexus/shared/errors";
import { newId } from "@nexus/shared/ids";
import type { Database } from "../../db/database.ts";
import { insertSignInLink } from "../../db/queries/insert-sign-in-link.ts";
import { takeSignInLink } from "../../db/queries/take-sign-in-link.ts";
import type { AccessContext, OperatorContext } from "./access-context.ts";
import { secretHash } from "./secret-hash.ts";

export const SIGN_IN_LINK_MS = 60 * 60_000;
/** An invitation travels by mail or chat, to people who sleep. */
export const INVITATION_MS = 3 * 86_400_000;

type LinkOptions = { userId: string; ttlMs?: number; db?: Database };

/**
 * A link that signs one browser in, once. Its secret stands in the fragment, which browsers never send: no log, proxy or
 * Referer header sees it. The page posts it in a body.
 */
export async function createSignInLink(ctx: OperatorContext, options: LinkOptions): Promise<string> {
  const { userId, ttlMs = SIGN_IN_LINK_MS, db = ctx.db } = options;
  const secret = Buffer.from(ctx.randomBytes(32)).toString("base64url");
  await insertSignInLink(db, {
    id: newId("session", ctx.randomBytes),
    secretHash: secretHash(secret),
    userId,
    expiresAt: new Date(ctx.clock.nowMs() + ttlMs),
  });
  return `${ctx.url}/sign-in#link=${secret}`;
}

/** @returns the user that the link was made for. */
export async function redeemSignInLink(ctx: AccessContext, secret: string): Promise<string> {
  const userId = await takeSignInLink(ctx.db, secretHash(secret), new Date(ctx.clock.nowMs()));
  if (userId !== null) return userId;
  throw new NexusError("unauthenticated", {
    detail: "This link was used before or has expired, or it was not copied whole.",
  });
}
