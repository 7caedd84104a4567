import type { Database } from "../database.ts";
import { verification } from "../schema/user.ts";

const IDENTIFIER_PREFIX = "sign-in-link:";

export function signInLinkIdentifier(secretHash: string): string {
  return `${IDENTIFIER_PREFIX}${secretHash}`;
}

export async function insertSignInLink(
  db: Database,
  link: { id: string; secretHash: string; userId: string; expiresAt: Date },
): Promise<void> {
  const { id, secretHash, userId, expiresAt } = link;
  await db
    .insert(verification)
    .values({ id, identifier: signInLinkIdentifier(secretHash), value: userId, expiresAt });
}
