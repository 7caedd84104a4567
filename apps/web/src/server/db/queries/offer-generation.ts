import { and, eq } from "drizzle-orm";
import type { Database } from "../database.ts";
import { nodeKey } from "../schema/target.ts";

type Generations = { confirmed: number; offered: number };

/** False when another connect moved the row since it was read: read again and judge anew. */
export async function offerGeneration(
  db: Database,
  targetId: number,
  change: { seen: Generations; next: Generations; bootId: string },
): Promise<boolean> {
  const rows = await db
    .update(nodeKey)
    .set({
      generation: change.next.confirmed,
      generationOffered: change.next.offered,
      bootId: change.bootId,
    })
    .where(
      and(
        eq(nodeKey.targetId, targetId),
        eq(nodeKey.generation, change.seen.confirmed),
        eq(nodeKey.generationOffered, change.seen.offered),
      ),
    )
    .returning({ targetId: nodeKey.targetId });
  return rows.length > 0;
}
