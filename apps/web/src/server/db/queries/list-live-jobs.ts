import type { RetryRule } from "@nexus/shared/api/schemas";
import type { JobState } from "@nexus/shared/machines/job";
import type { QueryRunner } from "../query-runner.ts";

export type LiveJobRow = {
  id: number;
  publicId: string;
  teamId: string;
  queueId: number;
  userId: string;
  userName: string;
  priority: number;
  gpus: number;
  gpuMemoryMib: number | null;
  gpuModel: string | null;
  timeoutMs: number | null;
  graceMs: number;
  retry: RetryRule | null;
  retriesUsed: number;
  wantedTargetId: number | null;
  wantedTargetName: string | null;
  labels: Record<string, string>;
  state: JobState;
  version: number;
  attemptNumber: number;
  cancelGraceMs: number | null;
  isCancelRequested: boolean;
  createdAtMs: number;
  commandKey: string;
};

/** All jobs that are queued or active: what the scheduler plans with. */
export async function listLiveJobs(sql: QueryRunner): Promise<LiveJobRow[]> {
  return await sql<LiveJobRow[]>`
    select j.id::float8 as id, j.public_id as "publicId", j.team_id as "teamId", j.queue_id::float8 as "queueId",
      j.user_id as "userId", u.name as "userName", j.priority, j.gpus, j.gpu_memory_mib as "gpuMemoryMib",
      j.gpu_model as "gpuModel", j.timeout_ms::float8 as "timeoutMs", j.grace_ms as "graceMs",
      j.retry, j.retries_used as "retriesUsed", j.attempt_number as "attemptNumber",
      j.wanted_target_id::float8 as "wantedTargetId", w.name as "wantedTargetName", j.labels, j.state, j.version,
      j.cancel_grace_ms as "cancelGraceMs", j.cancel_requested_at is not null as "isCancelRequested",
      round(extract(epoch from j.created_at) * 1000)::float8 as "createdAtMs",
      md5(j.command::text) as "commandKey"
    from job j join "user" u on u.id = j.user_id left join target w on w.id = j.wanted_target_id
    where j.state in ('queued', 'assigned', 'starting', 'running', 'unreachable')`;
}
