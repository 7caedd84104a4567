import { sql } from "drizzle-orm";
import type { Database } from "../database.ts";
import { queue } from "../schema/job.ts";

export type NewQueue = {
  teamId: string;
  name: string;
  priority: number;
  paused: boolean;
  runningMax: number | null;
  gpusMax: number | null;
  userRunningMax: number | null;
  userGpusMax: number | null;
  selector: { labels: Record<string, string>; targetIds: number[] };
};

export async function putQueue(db: Database, given: NewQueue): Promise<void> {
  const { teamId: _team, name: _name, ...set } = given;
  await db
    .insert(queue)
    .values(given)
    .onConflictDoUpdate({
      target: [queue.teamId, queue.name],
      targetWhere: sql`${queue.removedAt} is null`,
      set,
    });
}
