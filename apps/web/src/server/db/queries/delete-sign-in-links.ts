import { and, eq, like, lt, or } from "drizzle-orm";
import type { Database } from "../database.ts";
import { verification } from "../schema/user.ts";
import { signInLinkIdentifier } from "./insert-sign-in-link.ts";

/** The user's links, and all that have expired. */
export async function deleteSignInLinks(db: Database, userId: string, now: Date): Promise<void> {
  await db
    .delete(verification)
    .where(
      and(
        like(verification.identifier, `${signInLinkIdentifier("")}%`),
        or(eq(verification.value, userId), lt(verification.expiresAt, now)),
      ),
    );
}
