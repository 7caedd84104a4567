import { eq } from "drizzle-orm";
import type { Database } from "../database.ts";
import { nodeKey, target } from "../schema/target.ts";

/** What a hello is checked against; revoked nodes are found too, since they are told so. */
export async function findNodeKey(db: Database, nodeId: string) {
  const rows = await db
    .select({
      targetId: target.id,
      targetPublicId: target.publicId,
      targetName: target.name,
      teamId: target.teamId,
      kind: target.kind,
      revokedAt: target.revokedAt,
      publicKey: nodeKey.publicKey,
      generation: nodeKey.generation,
      generationOffered: nodeKey.generationOffered,
    })
    .from(nodeKey)
    .innerJoin(target, eq(target.id, nodeKey.targetId))
    .where(eq(target.publicId, nodeId));
  return rows[0] ?? null;
}
