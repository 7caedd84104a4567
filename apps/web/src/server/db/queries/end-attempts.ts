import type { JobState } from "@nexus/shared/machines/job";
import type { QueryRunner } from "../query-runner.ts";
import type { ChangedJob } from "./record-started.ts";

export type EndedAttempt = {
  attemptId: number;
  /** Public ids, for whoever takes the outcome in. */
  attempt: string;
  job: string;
  /** The job's state afterwards; `queued` puts it back in the line. */
  state: JobState;
  /** The event of the job machine that leads there. */
  event: string;
  /** `exited`, `cancelled`, … of the agent, or `lost`, `unplaced` of ours. */
  endReason: string;
  actor: string;
  message: string | null;
  exitCode: number | null;
  signal: string | null;
  logBytes: number | null;
  startedAtMs: number | null;
  endedAtMs: number;
  /** Set when its start is told with its end. */
  pid: number | null;
  /** Nothing more is expected of the agent. */
  isClosed: boolean;
  /** For the job's history, of an attempt that was given up before: its end moves no job. */
  note: { atMs: number; text: string } | null;
};

/**
 * Ends attempts: closes them, frees their GPUs and moves their jobs on, in one statement. Only an attempt that has not
 * ended counts, and only the latest one of a job moves it; the answer names the jobs that were moved.
 */
export async function endAttempts(sql: QueryRunner, ended: EndedAttempt[]): Promise<ChangedJob[]> {
  return await sql<ChangedJob[]>`
    with input as materialized (
      select x.*, to_timestamp(x."endedAtMs" / 1000) as ended_at, to_timestamp(x."startedAtMs" / 1000) as started_at
      from json_to_recordset(${JSON.stringify(ended)}::text::json) as x(
        "attemptId" bigint, "state" text, "event" text, "endReason" text, "actor" text, "message" text,
        "exitCode" int, "signal" text, "logBytes" bigint, "startedAtMs" float8, "endedAtMs" float8, "pid" int,
        "isClosed" boolean, "note" jsonb)
    ), attempts as (
      update attempt set ended_at = i.ended_at, end_reason = i."endReason", exit_code = i."exitCode",
        signal = i.signal, message = i.message, log_bytes = coalesce(i."logBytes", attempt.log_bytes),
        started_at = coalesce(attempt.started_at, i.started_at), pid = coalesce(attempt.pid, i.pid),
        closed_at = case when i."isClosed" then i.ended_at end
      from input i
      where attempt.id = i."attemptId" and attempt.ended_at is null
      returning attempt.id, attempt.job_id
    ), jobs as (
      update job set state = i.state, version = job.version + 1, exit_code = i."exitCode", signal = i.signal,
        message = i.message, log_bytes = coalesce(i."logBytes", job.log_bytes),
        started_at = case when i.state = 'queued' then null else coalesce(job.started_at, i.started_at) end,
        ended_at = case when i.state = 'queued' then null else i.ended_at end, unreachable_since = null,
        target_id = case when i.state = 'queued' then null else job.target_id end,
        gpu_uuids = case when i.state = 'queued' then '[]' else job.gpu_uuids end
      from attempts a join input i on i."attemptId" = a.id
      where job.id = a.job_id and job.attempt_id = a.id
        and job.state in ('assigned', 'starting', 'running', 'unreachable')
      returning job.id, job.public_id, job.version, job.attempt_id
    ), leases as (
      delete from gpu_lease using attempts a where gpu_lease.attempt_id = a.id
    ), events as (
      insert into job_event (job_id, at, type, state, attempt_id, actor, message)
      select j.id, i.started_at, 'start', 'running', j.attempt_id, i.actor, 'pid ' || i.pid
      from jobs j join input i on i."attemptId" = j.attempt_id
      where i.pid is not null and i.started_at is not null
      union all
      select j.id, i.ended_at, i.event, i.state, j.attempt_id, i.actor, coalesce(i.message, '')
      from jobs j join input i on i."attemptId" = j.attempt_id
      union all
      select a.job_id, to_timestamp((i.note ->> 'atMs')::float8 / 1000), 'noted', job.state, a.id, i.actor, i.note ->> 'text'
      from attempts a join input i on i."attemptId" = a.id join job on job.id = a.job_id
      where i.note ->> 'text' is not null
    )
    select public_id as "publicId", version from jobs`;
}
