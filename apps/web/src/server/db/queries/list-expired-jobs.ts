import type { QueryRunner } from "../query-runner.ts";

/** `endedAt` is Postgres' own text of it, to the microsecond. */
export type ExpiredJob = { id: number; endedAt: string; attempts: string[] };

export type ExpiredJobsQuery = {
  beforeMs: number;
  limit: number;
  /** Only those that ended after this one. */
  after: Pick<ExpiredJob, "id" | "endedAt"> | null;
};

/** Jobs that ended before then, the first to end first, with all their attempts. One of which a node may still speak is kept. */
export async function listExpiredJobs(
  sql: QueryRunner,
  { beforeMs, limit, after }: ExpiredJobsQuery,
): Promise<ExpiredJob[]> {
  return await sql<ExpiredJob[]>`
    select j.id::float8 as id, j.ended_at::text as "endedAt", coalesce(a.public_ids, '[]') as attempts
    from job j cross join lateral (
      select json_agg(public_id) as public_ids, coalesce(bool_and(closed_at is not null), true) as is_closed
      from attempt where job_id = j.id
    ) a
    where j.state in ('succeeded', 'failed', 'cancelled', 'timed_out', 'lost') and a.is_closed
      and j.ended_at < to_timestamp(${beforeMs}::float8 / 1000)
      and (j.ended_at, j.id) > (${after?.endedAt ?? "-infinity"}::timestamptz, ${after?.id ?? 0}::bigint)
    order by j.ended_at, j.id limit ${limit}::int`;
}
