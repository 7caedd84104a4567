import type { QueryRunner } from "../query-runner.ts";

export type LogGap = { attempt: string; fence: number; offset: number };

/**
 * Writes down where logs may lack something, once an attempt: the first time counts, also after it ended. @returns the attempts
 * for which it is news. `message` goes into the history of the job.
 */
export async function recordLogGaps(
  sql: QueryRunner,
  gaps: (LogGap & { message: string })[],
  from: { targetId: number; actor: string; nowMs: number },
): Promise<{ attempt: string; job: string; offset: number }[]> {
  return await sql<{ attempt: string; job: string; offset: number }[]>`
    with input as materialized (
      select * from json_to_recordset(${JSON.stringify(gaps)}::text::json) as x(
        "attempt" text, "fence" int, "offset" bigint, "message" text)
    ), attempts as (
      update attempt set log_gap_at = i."offset"
      from input i
      where attempt.public_id = i."attempt" and attempt.fence = i."fence" and attempt.target_id = ${from.targetId}
        and attempt.log_gap_at is null
      returning attempt.id, attempt.job_id, attempt.public_id, i."offset", i."message"
    ), events as (
      insert into job_event (job_id, at, type, state, attempt_id, actor, message)
      select j.id, to_timestamp(${from.nowMs}::float8 / 1000), 'noted', j.state, a.id, ${from.actor}, a."message"
      from attempts a join job j on j.id = a.job_id
    )
    select a.public_id as attempt, j.public_id as job, a."offset"::float8 as "offset"
    from attempts a join job j on j.id = a.job_id`;
}
