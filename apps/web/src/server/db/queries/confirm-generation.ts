import { and, eq, lt } from "drizzle-orm";
import type { Database } from "../database.ts";
import { nodeKey } from "../schema/target.ts";

/** False when it was confirmed already, by another connection that was offered the same. */
export async function confirmGeneration(
  db: Database,
  targetId: number,
  generation: number,
): Promise<boolean> {
  const rows = await db
    .update(nodeKey)
    .set({ generation })
    .where(
      and(
        eq(nodeKey.targetId, targetId),
        eq(nodeKey.generationOffered, generation),
        lt(nodeKey.generation, generation),
      ),
    )
    .returning({ targetId: nodeKey.targetId });
  return rows.length > 0;
}
