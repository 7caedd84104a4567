import type { JobState } from "@nexus/shared/machines/job";
import type { QueryRunner } from "../query-runner.ts";
import type { ChangedJob } from "./record-started.ts";

export type JobMove = {
  jobId: number;
  version: number;
  state: JobState;
  /** Null writes no line into the job's history: for steps that nobody needs to read. */
  event: string | null;
  actor: string;
  message: string;
};

/** Moves active jobs to another active state, each from the version that the mover saw. */
export async function moveJobs(sql: QueryRunner, moves: JobMove[], nowMs: number): Promise<ChangedJob[]> {
  return await sql<ChangedJob[]>`
    with input as materialized (
      select x.*, to_timestamp(${nowMs}::float8 / 1000) as at
      from json_to_recordset(${JSON.stringify(moves)}::text::json) as x(
        "jobId" bigint, "version" int, "state" text, "event" text, "actor" text, "message" text)
    ), jobs as (
      update job set state = i.state, version = job.version + 1,
        unreachable_since = case when i.state = 'unreachable' then i.at end
      from input i
      where job.id = i."jobId" and job.version = i.version
        and job.state in ('assigned', 'starting', 'running', 'unreachable')
      returning job.id, job.public_id, job.version, job.attempt_id
    ), events as (
      insert into job_event (job_id, at, type, state, attempt_id, actor, message)
      select j.id, i.at, i.event, i.state, j.attempt_id, i.actor, i.message
      from jobs j join input i on i."jobId" = j.id
      where i.event is not null
    )
    select public_id as "publicId", version from jobs`;
}
