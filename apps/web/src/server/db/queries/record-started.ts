import type { QueryRunner } from "../query-runner.ts";

export type StartedAttempt = { attemptId: number; pid: number; startedAtMs: number; targetName: string };
export type ChangedJob = { publicId: string; version: number };

/**
 * Only the latest attempt of a job that waits for it counts; everything else changes nothing. A job can be `running` before its
 * start is told: its node came back with the attempt and had not begun it.
 */
export async function recordStarted(sql: QueryRunner, started: StartedAttempt[]): Promise<ChangedJob[]> {
  return await sql<ChangedJob[]>`
    with input as materialized (
      select x.*, to_timestamp(x."startedAtMs" / 1000) as at
      from json_to_recordset(${JSON.stringify(started)}::text::json) as x(
        "attemptId" bigint, "pid" int, "startedAtMs" float8, "targetName" text)
    ), jobs as (
      update job set state = 'running', version = job.version + 1, started_at = coalesce(job.started_at, i.at),
        unreachable_since = null
      from input i
      where job.attempt_id = i."attemptId" and (job.state in ('assigned', 'starting', 'unreachable')
        or (job.state = 'running' and job.started_at is null))
      returning job.id, job.public_id, job.version, job.attempt_id
    ), attempts as (
      update attempt set pid = i.pid, started_at = coalesce(attempt.started_at, i.at)
      from jobs j join input i on i."attemptId" = j.attempt_id
      where attempt.id = j.attempt_id and attempt.ended_at is null
    ), events as (
      insert into job_event (job_id, at, type, state, attempt_id, actor, message)
      select j.id, i.at, 'start', 'running', j.attempt_id, i."targetName", 'pid ' || i.pid
      from jobs j join input i on i."attemptId" = j.attempt_id
    )
    select public_id as "publicId", version from jobs`;
}
