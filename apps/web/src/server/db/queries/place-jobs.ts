import type { QueryRunner } from "../query-runner.ts";
import type { NewPlace } from "./insert-jobs.ts";

/** A decision of the planner on the version of the job that it saw. */
export type JobPlacement = NewPlace & { jobId: number; version: number };

export type PlacedJob = {
  publicId: string;
  version: number;
  attempt: string;
  attemptId: number;
  fence: number;
  command: string[];
  env: Record<string, string>;
  cwd: string | null;
};

/**
 * Commits placements in one statement. A job that changed since it was planned is left alone and missing from the answer,
 * and so is one whose GPUs were leased in a way that the planner did not know. A lease that another session commits at the
 * same moment fails the whole statement (trigger `nexus_lease_fits`). GPUs are locked first, then jobs, each by id.
 */
export async function placeJobs(
  sql: QueryRunner,
  placements: JobPlacement[],
  nowMs: number,
): Promise<PlacedJob[]> {
  return await sql<PlacedJob[]>`
    with input as materialized (
      select x.*, to_timestamp(${nowMs}::float8 / 1000) as at
      from json_to_recordset(${JSON.stringify(placements)}::text::json) as x(
        "jobId" bigint, "version" int, "attempt" text, "targetId" bigint, "targetName" text, "gpus" jsonb)
    ), wanted as materialized (
      select i."jobId", g."gpuId", g.uuid, g."memoryMib"
      from input i, jsonb_to_recordset(i.gpus) as g("gpuId" bigint, uuid text, "memoryMib" int)
    ), locked_gpus as materialized (
      select id from gpu where id in (select "gpuId" from wanted) order by id for no key update
    ), taken as materialized (
      select gpu_id, coalesce(sum(memory_mib), 0) as memory_mib, bool_or(memory_mib is null) as is_whole
      from gpu_lease where gpu_id in (select "gpuId" from wanted) group by gpu_id
    ), asked as materialized (
      select "gpuId", sum("memoryMib") as memory_mib from wanted group by "gpuId"
    ), refused as materialized (
      select distinct w."jobId"
      from wanted w join gpu g on g.id = w."gpuId" join asked a on a."gpuId" = w."gpuId"
        left join taken t on t.gpu_id = w."gpuId"
      where t.is_whole
        or (w."memoryMib" is null and t.gpu_id is not null)
        or (w."memoryMib" is not null
          and coalesce(t.memory_mib, 0) + a.memory_mib > (g.facts ->> 'memoryTotalMib')::bigint)
    ), locked as materialized (
      select j.id, i."attempt", i."targetId", i."targetName", i.at,
        nextval(pg_get_serial_sequence('attempt', 'id')) as attempt_id
      from (
        select id from job
        where id in (select "jobId" from input) and state = 'queued' and (select count(*) from locked_gpus) >= 0
        order by id for update
      ) j join input i on i."jobId" = j.id
      where i."jobId" not in (select "jobId" from refused)
    ), placed as (
      update job set state = 'assigned', version = job.version + 1, attempt_id = l.attempt_id,
        attempt_number = job.attempt_number + 1, target_id = l."targetId", assigned_at = l.at, started_at = null,
        ended_at = null, exit_code = null, signal = null, message = null, log_bytes = 0,
        gpu_uuids = coalesce((select jsonb_agg(w.uuid) from wanted w where w."jobId" = job.id), '[]')
      from locked l, input i
      where job.id = l.id and i."jobId" = l.id and job.state = 'queued' and job.version = i."version"
      returning job.*
    ), attempts as (
      insert into attempt (id, public_id, job_id, fence, target_id, created_at) overriding system value
      select l.attempt_id, l."attempt", p.id, p.attempt_number, p.target_id, l.at
      from placed p join locked l on l.id = p.id
    ), leases as (
      insert into gpu_lease (gpu_id, attempt_id, memory_mib, created_at)
      select w."gpuId", p.attempt_id, w."memoryMib", p.assigned_at
      from placed p join wanted w on w."jobId" = p.id
    ), events as (
      insert into job_event (job_id, at, type, state, attempt_id, actor, message)
      select p.id, p.assigned_at, 'place', 'assigned', p.attempt_id, 'scheduler', 'on ' || l."targetName"
      from placed p join locked l on l.id = p.id
    )
    select p.public_id as "publicId", p.version, l."attempt" as attempt, p.attempt_id::float8 as "attemptId",
      p.attempt_number as fence, p.command, p.env, p.cwd
    from placed p join locked l on l.id = p.id`;
}
