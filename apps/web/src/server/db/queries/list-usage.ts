import type { QueryRunner } from "../query-runner.ts";

export type UsageRow = { teamId: string; userId: string; userName: string; gpuMs: number };

/**
 * GPU time of each user's ended attempts, each decayed from when it ended; those too that their jobs were taken from. Older than a dozen
 * half-lives is nothing.
 */
export async function listUsage(
  sql: QueryRunner,
  { nowMs, halfLifeMs }: { nowMs: number; halfLifeMs: number },
): Promise<UsageRow[]> {
  return await sql<UsageRow[]>`
    with counted as (
      select id, team_id, user_id, gpus from job
      where ended_at > to_timestamp((${nowMs}::float8 - 12 * ${halfLifeMs}::float8) / 1000) and gpus > 0
      union all
      select id, team_id, user_id, gpus from job where ended_at is null and attempt_number > 0 and gpus > 0)
    select j.team_id as "teamId", j.user_id as "userId", u.name as "userName",
      sum(j.gpus * extract(epoch from a.ended_at - a.started_at) * 1000
        * power(0.5::float8, (${nowMs}::float8 - extract(epoch from a.ended_at) * 1000) / ${halfLifeMs}::float8))::float8 as "gpuMs"
    from counted j join attempt a on a.job_id = j.id join "user" u on u.id = j.user_id
    where a.ended_at is not null and a.started_at is not null
    group by j.team_id, j.user_id, u.name`;
}
