import { and, eq, gt } from "drizzle-orm";
import type { Database } from "../database.ts";
import { verification } from "../schema/user.ts";
import { signInLinkIdentifier } from "./insert-sign-in-link.ts";

/** Uses the link up: of any number of callers, one gets the user. */
export async function takeSignInLink(db: Database, secretHash: string, now: Date): Promise<string | null> {
  const rows = await db
    .delete(verification)
    .where(
      and(eq(verification.identifier, signInLinkIdentifier(secretHash)), gt(verification.expiresAt, now)),
    )
    .returning({ userId: verification.value });
  return rows[0]?.userId ?? null;
}
