import type { Database } from "../database.ts";
import { serverIdentity } from "../schema/target.ts";

/** Keeps what is there: the first identity of a database is the identity. */
export async function insertServerIdentity(
  db: Database,
  identity: { publicKey: string; sealedPrivateKey: string },
): Promise<void> {
  await db
    .insert(serverIdentity)
    .values({ id: 1, ...identity })
    .onConflictDoNothing();
}
