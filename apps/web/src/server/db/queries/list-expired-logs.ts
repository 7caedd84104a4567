import type { QueryRunner } from "../query-runner.ts";

export type ExpiredLog = { id: number; attempt: string };

export type LogLimits = {
  nowMs: number;
  /** Where the team says nothing; 0 keeps for ever, or any size. */
  keepDays: number;
  bytesMax: number;
  limit: number;
  /** Attempts whose logs could not be removed just now. */
  except: string[];
};

/**
 * Logs that their team keeps no longer, the oldest first: too old, or too much beside the newer ones. What was closed within the
 * last hour stays whatever its size: somebody reads it just now.
 */
export async function listExpiredLogs(
  sql: QueryRunner,
  { nowMs, keepDays, bytesMax, limit, except }: LogLimits,
): Promise<ExpiredLog[]> {
  return await sql<ExpiredLog[]>`
    select id::float8 as id, public_id as attempt
    from (
      select a.id, a.public_id, a.closed_at,
        coalesce(t.log_keep_days, ${keepDays}::int) as keep_days,
        coalesce(t.log_bytes_max, ${bytesMax}::bigint) as bytes_max,
        sum(a.log_bytes) over (partition by t.id order by a.closed_at desc, a.id desc) as bytes_from_here
      from attempt a join job j on j.id = a.job_id join team t on t.id = j.team_id
      where a.closed_at is not null and a.log_removed_at is null and a.log_bytes > 0
    ) kept
    where public_id <> all(${except}::text[])
      and ((keep_days > 0 and closed_at < to_timestamp(${nowMs}::float8 / 1000) - make_interval(days => keep_days))
        or (bytes_max > 0 and bytes_from_here > bytes_max
          and closed_at < to_timestamp(${nowMs}::float8 / 1000) - interval '1 hour'))
    order by closed_at, id limit ${limit}::int`;
}
