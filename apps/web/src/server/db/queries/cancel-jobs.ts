import type { JobState } from "@nexus/shared/machines/job";
import type { QueryRunner } from "../query-runner.ts";

export type CancelledJob = { publicId: string; state: JobState; version: number };

/**
 * A queued job ends at once; an active one is marked, and ends when its agent says so. Whichever of a placement and a
 * cancel comes first wins: the row's lock decides, and this looks at the row as it is then.
 */
export async function cancelJobs(
  sql: QueryRunner,
  jobIds: number[],
  { actor, graceMs, nowMs }: { actor: string; graceMs: number | null; nowMs: number },
): Promise<CancelledJob[]> {
  return await sql<CancelledJob[]>`
    with locked as materialized (
      select id from job where id = any(${jobIds}::bigint[]) order by id for update
    ), jobs as (
      update job set state = case when job.state = 'queued' then 'cancelled' else job.state end,
        version = job.version + 1, cancel_requested_at = coalesce(cancel_requested_at, to_timestamp(${nowMs}::float8 / 1000)),
        cancel_grace_ms = coalesce(${graceMs}::int, cancel_grace_ms, grace_ms),
        ended_at = case when job.state = 'queued' then to_timestamp(${nowMs}::float8 / 1000) else ended_at end,
        message = case when job.state = 'queued' then 'cancelled by ' || ${actor}::text else message end
      from locked
      where job.id = locked.id and job.state in ('queued', 'assigned', 'starting', 'running', 'unreachable')
      returning job.id, job.public_id, job.state, job.version, job.attempt_id
    ), events as (
      insert into job_event (job_id, at, type, state, attempt_id, actor, message)
      select id, to_timestamp(${nowMs}::float8 / 1000), case when state = 'cancelled' then 'cancel' else 'noted' end,
        state, attempt_id, ${actor}::text, case when state = 'cancelled' then '' else 'asked to end' end
      from jobs
    )
    select public_id as "publicId", state, version from jobs`;
}
