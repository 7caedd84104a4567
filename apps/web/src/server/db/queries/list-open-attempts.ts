import type { QueryRunner } from "../query-runner.ts";

export type OpenAttemptRow = {
  id: number;
  publicId: string;
  job: string;
  teamId: string;
  userId: string;
  userName: string;
  targetId: number;
  fence: number;
  /** Whether its job is active with it. One that is not, and has not ended, was given up. */
  isLatest: boolean;
  pid: number | null;
  assignedAtMs: number;
  startedAtMs: number | null;
  endedAtMs: number | null;
  logBytes: number | null;
  logGapAt: number | null;
  isEstranged: boolean;
  gpus: { gpuId: number; uuid: string; memoryMib: number | null }[];
};

/** Attempts that the agents are still expected to say something about: running, or ended with a log that is not whole. */
export async function listOpenAttempts(sql: QueryRunner): Promise<OpenAttemptRow[]> {
  return await sql<OpenAttemptRow[]>`
    select a.id::float8 as id, a.public_id as "publicId", j.public_id as job, j.team_id as "teamId", j.user_id as "userId",
      u.name as "userName",
      a.target_id::float8 as "targetId", a.fence, a.pid,
      coalesce(j.attempt_id = a.id and j.state in ('assigned', 'starting', 'running', 'unreachable'), false) as "isLatest",
      round(extract(epoch from a.created_at) * 1000)::float8 as "assignedAtMs",
      round(extract(epoch from a.started_at) * 1000)::float8 as "startedAtMs",
      round(extract(epoch from a.ended_at) * 1000)::float8 as "endedAtMs",
      a.log_bytes::float8 as "logBytes", a.log_gap_at::float8 as "logGapAt", a.estranged_at is not null as "isEstranged",
      coalesce((
        select json_agg(json_build_object('gpuId', l.gpu_id, 'uuid', g.uuid, 'memoryMib', l.memory_mib) order by l.gpu_id)
        from gpu_lease l join gpu g on g.id = l.gpu_id where l.attempt_id = a.id
      ), '[]') as gpus
    from attempt a join job j on j.id = a.job_id join "user" u on u.id = j.user_id
    where a.closed_at is null`;
}
