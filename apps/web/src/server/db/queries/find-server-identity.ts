import type { Database } from "../database.ts";
import { serverIdentity } from "../schema/target.ts";

export async function findServerIdentity(db: Database) {
  const rows = await db
    .select({ publicKey: serverIdentity.publicKey, sealedPrivateKey: serverIdentity.sealedPrivateKey })
    .from(serverIdentity)
    .limit(1);
  return rows[0] ?? null;
}
