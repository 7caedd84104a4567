import type { QueryRunner } from "../query-runner.ts";
import type { ChangedJob } from "./record-started.ts";

export type JobRequeue = {
  jobId: number;
  version: number;
  attemptId: number;
  actor: string;
  message: string;
  /** By the job's own rule, which allows it so often. */
  isByRule: boolean;
};

/**
 * Gives up the attempts of jobs whose nodes are silent, and puts the jobs back in the line. The attempt stays open with its
 * leases: whatever it runs may run on, and its GPUs are free only once its node has told its end.
 */
export async function requeueJobs(
  sql: QueryRunner,
  requeues: JobRequeue[],
  nowMs: number,
): Promise<ChangedJob[]> {
  return await sql<ChangedJob[]>`
    with input as materialized (
      select x.*, to_timestamp(${nowMs}::float8 / 1000) as at
      from json_to_recordset(${JSON.stringify(requeues)}::text::json) as x(
        "jobId" bigint, "version" int, "attemptId" bigint, "actor" text, "message" text, "isByRule" boolean)
    ), jobs as (
      update job set state = 'queued', version = job.version + 1, attempt_id = null, target_id = null, gpu_uuids = '[]',
        started_at = null, unreachable_since = null, log_bytes = 0,
        retries_used = job.retries_used + case when i."isByRule" then 1 else 0 end
      from input i
      where job.id = i."jobId" and job.version = i."version" and job.attempt_id = i."attemptId"
        and job.state = 'unreachable' and job.cancel_requested_at is null
      returning job.id, job.public_id, job.version
    ), events as (
      insert into job_event (job_id, at, type, state, attempt_id, actor, message)
      select j.id, i.at, 'requeue', 'queued', i."attemptId", i."actor", i."message"
      from jobs j join input i on i."jobId" = j.id
    )
    select public_id as "publicId", version from jobs`;
}
