import type { RetryRule } from "@nexus/shared/api/schemas";
import type { QueryRunner } from "../query-runner.ts";

/** A job as it is submitted; with `place` it starts its life leased, in the same statement. */
export type NewJob = {
  publicId: string;
  teamId: string;
  queueId: number;
  userId: string;
  userName: string;
  submitKey: string | null;
  name: string | null;
  command: string[];
  env: Record<string, string>;
  cwd: string | null;
  gpus: number;
  gpuMemoryMib: number | null;
  gpuModel: string | null;
  timeoutMs: number | null;
  graceMs: number;
  retry: RetryRule | null;
  wantedTargetId: number | null;
  labels: Record<string, string>;
  priority: number;
  /** The job that it is made of, which is over. */
  againOf: string | null;
  place: NewPlace | null;
};

export type NewPlace = {
  attempt: string;
  targetId: number;
  targetName: string;
  gpus: { gpuId: number; uuid: string; memoryMib: number | null }[];
};

export type InsertedJob = { publicId: string; id: number; attemptId: number | null; commandKey: string };

/**
 * Submits a batch, and places those that can start at once: one statement, one commit, and a job that starts on an idle
 * fleet costs no second one. A submit key that was used before inserts nothing, not even the lease; such jobs are missing
 * from the answer. A GPU without room for what is placed on it fails the whole statement (trigger `nexus_lease_fits`).
 * GPUs are locked first and by id, here and in `place-jobs`, so that two sessions never wait for each other.
 */
export async function insertJobs(sql: QueryRunner, jobs: NewJob[], nowMs: number): Promise<InsertedJob[]> {
  const rows = jobs.map((job, position) => ({
    ...job,
    position,
    gpuUuids: job.place?.gpus.map((gpu) => gpu.uuid),
  }));
  return await sql<InsertedJob[]>`
    with input as materialized (
      select x.*, to_timestamp(${nowMs}::float8 / 1000) as at,
        case when x.place is not null then nextval(pg_get_serial_sequence('attempt', 'id')) end as attempt_id,
        x.place ->> 'attempt' as attempt, (x.place ->> 'targetId')::bigint as target_id
      from json_to_recordset(${JSON.stringify(rows)}::text::json) as x(
        "position" int, "publicId" text, "teamId" text, "queueId" bigint, "userId" text, "userName" text,
        "submitKey" text, "name" text, "command" jsonb, "env" jsonb, "cwd" text, "gpus" int, "gpuMemoryMib" int,
        "gpuModel" text, "timeoutMs" bigint, "graceMs" int, "retry" jsonb, "againOf" text, "wantedTargetId" bigint, "labels" jsonb, "priority" int,
        "place" jsonb, "gpuUuids" jsonb)
    ), locked_gpus as materialized (
      select id from gpu
      where id in (select g."gpuId" from input i, jsonb_to_recordset(i.place -> 'gpus') as g("gpuId" bigint))
      order by id for no key update
    ), inserted as (
      insert into job (public_id, team_id, queue_id, user_id, submit_key, name, command, env, cwd, gpus, gpu_memory_mib,
        gpu_model, timeout_ms, grace_ms, retry, wanted_target_id, labels, priority, state, attempt_id, attempt_number,
        target_id, gpu_uuids, created_at, assigned_at)
      select "publicId", "teamId", "queueId", "userId", "submitKey", "name", "command", "env", "cwd", "gpus",
        "gpuMemoryMib", "gpuModel", "timeoutMs", "graceMs", "retry", "wantedTargetId", "labels", "priority",
        case when attempt_id is null then 'queued' else 'assigned' end, attempt_id,
        case when attempt_id is null then 0 else 1 end, target_id, coalesce("gpuUuids", '[]'), at,
        case when attempt_id is not null then at end
      from input where (select count(*) from locked_gpus) >= 0 order by "position"
      on conflict (team_id, submit_key) where submit_key is not null do nothing
      returning id, public_id, attempt_id, md5(command::text) as command_key
    ), attempts as (
      insert into attempt (id, public_id, job_id, fence, target_id, created_at) overriding system value
      select i.attempt_id, i.attempt, j.id, 1, i.target_id, i.at
      from inserted j join input i on i."publicId" = j.public_id
      where i.attempt_id is not null
    ), leases as (
      insert into gpu_lease (gpu_id, attempt_id, memory_mib, created_at)
      select g."gpuId", i.attempt_id, g."memoryMib", i.at
      from inserted j join input i on i."publicId" = j.public_id,
        jsonb_to_recordset(i.place -> 'gpus') as g("gpuId" bigint, "memoryMib" int)
      where i.attempt_id is not null
    ), events as (
      insert into job_event (job_id, at, type, state, attempt_id, actor, message)
      select j.id, i.at, 'submitted', 'queued', null, i."userName", coalesce('again, as ' || i."againOf" || ' was', '')
      from inserted j join input i on i."publicId" = j.public_id
      union all
      select j.id, i.at, 'place', 'assigned', i.attempt_id, 'scheduler', 'on ' || (i.place ->> 'targetName')
      from inserted j join input i on i."publicId" = j.public_id
      where i.attempt_id is not null
    )
    select public_id as "publicId", id::float8 as id, attempt_id::float8 as "attemptId",
      command_key as "commandKey" from inserted`;
}
