import type { QueryRunner } from "../query-runner.ts";

export type RunTimeRow = {
  teamId: string;
  userId: string;
  queueId: number;
  commandKey: string;
  ranMs: number;
};

/** How long each of the latest jobs that succeeded took, the newest first. Looks at so many jobs, however few of them did. */
export async function listRunTimes(sql: QueryRunner, jobsMax: number): Promise<RunTimeRow[]> {
  return await sql<RunTimeRow[]>`
    select j.team_id as "teamId", j.user_id as "userId", j.queue_id::float8 as "queueId",
      md5(j.command::text) as "commandKey", round(extract(epoch from j.ended_at - j.started_at) * 1000)::float8 as "ranMs"
    from (select * from job order by id desc limit ${jobsMax}::int) j
    where j.state = 'succeeded' and j.started_at is not null
    order by j.id desc`;
}
