import { sql } from "drizzle-orm";
import type { Database } from "../database.ts";
import { queue } from "../schema/job.ts";

export type NewQueue = {
  teamId: string;
  name: string;
  priority: number;
  paused: boolean;
  runningMax: number | null;
};

export async function putQueue(db: Database, given: NewQueue): Promise<number> {
  const [row] = await db
    .insert(queue)
    .values(given)
    .onConflictDoUpdate({
      target: [queue.teamId, queue.name],
      set: {
        priority: sql`excluded.priority`,
        paused: sql`excluded.paused`,
        runningMax: sql`excluded.running_max`,
      },
    })
    .returning({ id: queue.id });
  if (!row) throw new Error("an upsert always returns its row");
  return row.id;
}
