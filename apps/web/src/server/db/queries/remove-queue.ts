import { eq } from "drizzle-orm";
import type { Database } from "../database.ts";
import { queue } from "../schema/job.ts";

/** Jobs that ended in it still name it. */
export async function removeQueue(db: Database, queueId: number, at: Date): Promise<void> {
  await db.update(queue).set({ removedAt: at }).where(eq(queue.id, queueId));
}
