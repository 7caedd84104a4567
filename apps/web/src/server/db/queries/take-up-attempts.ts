import type { QueryRunner } from "../query-runner.ts";
import type { ChangedJob } from "./record-started.ts";

export type TakenUp = {
  jobId: number;
  version: number;
  attemptId: number;
  gpuUuids: string[];
  actor: string;
  message: string;
};

/** Gives jobs that wait the attempt back that was given up, each its latest, from the version that was seen. */
export async function takeUpAttempts(
  sql: QueryRunner,
  taken: TakenUp[],
  nowMs: number,
): Promise<ChangedJob[]> {
  return await sql<ChangedJob[]>`
    with input as materialized (
      select x.*, to_timestamp(${nowMs}::float8 / 1000) as at
      from json_to_recordset(${JSON.stringify(taken)}::text::json) as x(
        "jobId" bigint, "version" int, "attemptId" bigint, "gpuUuids" jsonb, "actor" text, "message" text)
    ), jobs as (
      update job set state = 'running', version = job.version + 1, attempt_id = a.id, target_id = a.target_id,
        gpu_uuids = i."gpuUuids", assigned_at = a.created_at, started_at = a.started_at
      from input i join attempt a on a.id = i."attemptId"
      where job.id = i."jobId" and job.version = i."version" and job.state = 'queued'
        and a.job_id = job.id and a.fence = job.attempt_number and a.ended_at is null
      returning job.id, job.public_id, job.version, job.attempt_id
    ), events as (
      insert into job_event (job_id, at, type, state, attempt_id, actor, message)
      select j.id, i.at, 'return', 'running', j.attempt_id, i."actor", i."message"
      from jobs j join input i on i."jobId" = j.id
    )
    select public_id as "publicId", version from jobs`;
}
