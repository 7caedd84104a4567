import { sql } from "drizzle-orm";
import type { Database } from "../database.ts";

export type QueueJobs = { waiting: number; active: number };

export async function countQueueJobs(db: Database, queueId: number): Promise<QueueJobs> {
  const [row] = await db.execute<QueueJobs>(sql`
    select count(*) filter (where state = 'queued')::float8 as waiting,
      count(*) filter (where state <> 'queued')::float8 as active
    from job
    where queue_id = ${queueId} and state in ('queued', 'assigned', 'starting', 'running', 'unreachable')`);
  return row ?? { waiting: 0, active: 0 };
}
