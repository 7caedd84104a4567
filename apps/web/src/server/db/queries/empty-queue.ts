import { sql } from "drizzle-orm";
import type { Database } from "../database.ts";

export type EmptiedJob = { publicId: string; version: number };

/** Puts all that waits or runs in a queue into another. */
export async function emptyQueue(
  db: Database,
  {
    fromId,
    toId,
    actor,
    message,
    at,
  }: { fromId: number; toId: number; actor: string; message: string; at: Date },
): Promise<EmptiedJob[]> {
  const rows = await db.execute<EmptiedJob>(sql`
    with jobs as (
      update job set queue_id = ${toId}, version = version + 1
      where queue_id = ${fromId} and state in ('queued', 'assigned', 'starting', 'running', 'unreachable')
      returning id, public_id, state, version, attempt_id
    ), events as (
      insert into job_event (job_id, at, type, state, attempt_id, actor, message)
      select id, ${at.toISOString()}::timestamptz, 'noted', state, attempt_id, ${actor}, ${message} from jobs
    )
    select public_id as "publicId", version from jobs`);
  return [...rows];
}
