import type { RetryRule } from "@nexus/shared/api/schemas";
import type { JobState } from "@nexus/shared/machines/job";
import type { Fragment } from "postgres";
import type { QueryRunner } from "../query-runner.ts";

/** A job with the names of what it points to. Where it waits and why is in memory, not here. */
export type JobRow = {
  id: number;
  publicId: string;
  version: number;
  name: string | null;
  state: JobState;
  command: string[];
  env: Record<string, string>;
  cwd: string | null;
  gpus: number;
  gpuMemoryMib: number | null;
  gpuModel: string | null;
  timeoutMs: number | null;
  graceMs: number;
  retry: RetryRule | null;
  retriesUsed: number;
  wantedTarget: string | null;
  labels: Record<string, string>;
  queue: string;
  priority: number;
  userId: string;
  userName: string;
  targetPublicId: string | null;
  targetName: string | null;
  gpuUuids: string[];
  attempt: string | null;
  attemptNumber: number;
  exitCode: number | null;
  signal: string | null;
  message: string | null;
  isCancelRequested: boolean;
  logBytes: number;
  logGapAt: number | null;
  logRemovedAtMs: number | null;
  createdAtMs: number;
  assignedAtMs: number | null;
  startedAtMs: number | null;
  endedAtMs: number | null;
  unreachableSinceMs: number | null;
};

export function jobColumns(sql: QueryRunner): Fragment {
  return sql`
    j.id::float8 as id, j.public_id as "publicId", j.version, j.name, j.state, j.command, j.env, j.cwd, j.gpus,
    j.gpu_memory_mib as "gpuMemoryMib", j.gpu_model as "gpuModel", j.timeout_ms::float8 as "timeoutMs",
    j.grace_ms as "graceMs", j.retry, j.retries_used as "retriesUsed", w.name as "wantedTarget", j.labels, q.name as queue, j.priority, j.user_id as "userId",
    u.name as "userName", t.public_id as "targetPublicId", t.name as "targetName", j.gpu_uuids as "gpuUuids",
    a.public_id as attempt, j.attempt_number as "attemptNumber", j.exit_code as "exitCode", j.signal, j.message,
    j.cancel_requested_at is not null as "isCancelRequested", j.log_bytes::float8 as "logBytes",
    a.log_gap_at::float8 as "logGapAt",
    round(extract(epoch from a.log_removed_at) * 1000)::float8 as "logRemovedAtMs",
    round(extract(epoch from j.created_at) * 1000)::float8 as "createdAtMs",
    round(extract(epoch from j.assigned_at) * 1000)::float8 as "assignedAtMs",
    round(extract(epoch from j.started_at) * 1000)::float8 as "startedAtMs",
    round(extract(epoch from j.ended_at) * 1000)::float8 as "endedAtMs",
    round(extract(epoch from j.unreachable_since) * 1000)::float8 as "unreachableSinceMs"`;
}

export function jobTables(sql: QueryRunner): Fragment {
  return sql`
    job j join queue q on q.id = j.queue_id join "user" u on u.id = j.user_id
    left join target t on t.id = j.target_id left join target w on w.id = j.wanted_target_id
    left join attempt a on a.id = j.attempt_id`;
}
