import type { QueryRunner } from "../query-runner.ts";
import type { ChangedJob } from "./record-started.ts";

export type JobLineUp = { jobId: number; queueId: number; priority: number; message: string };

/** Gives waiting jobs another queue and priority. One that was placed meanwhile stays as it is, and out of the answer. */
export async function lineUpJobs(
  sql: QueryRunner,
  lineUps: JobLineUp[],
  { actor, nowMs }: { actor: string; nowMs: number },
): Promise<ChangedJob[]> {
  return await sql<ChangedJob[]>`
    with input as materialized (
      select x.* from json_to_recordset(${JSON.stringify(lineUps)}::text::json) as x(
        "jobId" bigint, "queueId" bigint, "priority" int, "message" text)
    ), locked as materialized (
      select id from job where id in (select "jobId" from input) order by id for update
    ), jobs as (
      update job set queue_id = i."queueId", priority = i."priority", version = job.version + 1
      from locked l join input i on i."jobId" = l.id
      where job.id = l.id and job.state = 'queued'
      returning job.id, job.public_id, job.version, job.attempt_id, i."message"
    ), events as (
      insert into job_event (job_id, at, type, state, attempt_id, actor, message)
      select id, to_timestamp(${nowMs}::float8 / 1000), 'noted', 'queued', attempt_id, ${actor}::text, message
      from jobs
    )
    select public_id as "publicId", version from jobs`;
}
