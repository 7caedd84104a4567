import type { QueryRunner } from "../query-runner.ts";

export type ExpiredJob = { id: number; attempts: string[] };

/**
 * Jobs that ended before then, the oldest first, with all their attempts. One of which a node may still speak is kept. Only
 * the oldest `lookMax` jobs are looked at, so that a history in which nothing is too old costs the same as an empty one.
 */
export async function listExpiredJobs(
  sql: QueryRunner,
  { beforeMs, limit, lookMax }: { beforeMs: number; limit: number; lookMax: number },
): Promise<ExpiredJob[]> {
  return await sql<ExpiredJob[]>`
    select j.id::float8 as id, coalesce(json_agg(a.public_id) filter (where a.id is not null), '[]') as attempts
    from (select id, state, ended_at from job order by id limit ${lookMax}::int) j
      left join attempt a on a.job_id = j.id
    where j.state in ('succeeded', 'failed', 'cancelled', 'timed_out', 'lost')
      and j.ended_at < to_timestamp(${beforeMs}::float8 / 1000)
    group by j.id
    having bool_and(a.id is null or a.closed_at is not null)
    order by j.id limit ${limit}::int`;
}
