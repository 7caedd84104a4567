import type { QueryRunner } from "../query-runner.ts";
import type { ChangedJob } from "./record-started.ts";

export type Estranging = { attemptIds: number[]; actor: string; message: string; nowMs: number };

/** Attempts that may have begun on a machine that somebody else came for: they are sent to nobody, and their jobs are unreachable. */
export async function estrangeAttempts(
  sql: QueryRunner,
  { attemptIds, actor, message, nowMs }: Estranging,
): Promise<ChangedJob[]> {
  return await sql<ChangedJob[]>`
    with attempts as (
      update attempt set estranged_at = to_timestamp(${nowMs}::float8 / 1000)
      where id = any(${attemptIds}::bigint[]) and started_at is null and ended_at is null
      returning id
    ), jobs as (
      update job set state = 'unreachable', version = job.version + 1,
        unreachable_since = coalesce(job.unreachable_since, to_timestamp(${nowMs}::float8 / 1000))
      from attempts a
      where job.attempt_id = a.id and job.state in ('assigned', 'starting', 'running', 'unreachable')
      returning job.id, job.public_id, job.version, job.attempt_id
    ), events as (
      insert into job_event (job_id, at, type, state, attempt_id, actor, message)
      select id, to_timestamp(${nowMs}::float8 / 1000), 'silence', 'unreachable', attempt_id, ${actor}::text, ${message}::text
      from jobs
    )
    select public_id as "publicId", version from jobs`;
}
