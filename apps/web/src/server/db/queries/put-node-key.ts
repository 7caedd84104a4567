import { sql } from "drizzle-orm";
import type { Database } from "../database.ts";
import { nodeKey } from "../schema/target.ts";

export type NewNodeKey = {
  targetId: number;
  publicKey: string;
  bootId: string;
  enrollTokenId: number;
};

/** A first key, or the key of a reinstalled node: the old one is worth nothing from here on, and generations begin anew. */
export async function putNodeKey(db: Database, given: NewNodeKey): Promise<void> {
  const fresh = { ...given, generation: 0, generationOffered: 0, createdAt: sql`now()` };
  await db.insert(nodeKey).values(fresh).onConflictDoUpdate({ target: nodeKey.targetId, set: fresh });
}
