import type { QueryRunner } from "../query-runner.ts";

export type UsageRow = { teamId: string; userId: string; userName: string; gpuMs: number };

/** GPU time of each user's ended jobs, each decayed from when it ended. Older than a dozen half-lives is nothing. */
export async function listUsage(
  sql: QueryRunner,
  { nowMs, halfLifeMs }: { nowMs: number; halfLifeMs: number },
): Promise<UsageRow[]> {
  return await sql<UsageRow[]>`
    select j.team_id as "teamId", j.user_id as "userId", u.name as "userName",
      sum(jsonb_array_length(j.gpu_uuids) * extract(epoch from j.ended_at - j.started_at) * 1000
        * power(0.5::float8, (${nowMs}::float8 - extract(epoch from j.ended_at) * 1000) / ${halfLifeMs}::float8))::float8 as "gpuMs"
    from job j join "user" u on u.id = j.user_id
    where j.ended_at > to_timestamp((${nowMs}::float8 - 12 * ${halfLifeMs}::float8) / 1000) and j.started_at is not null
    group by j.team_id, j.user_id, u.name`;
}
