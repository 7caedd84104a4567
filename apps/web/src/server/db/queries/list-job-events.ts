import type { JobState } from "@nexus/shared/machines/job";
import type { QueryRunner } from "../query-runner.ts";

export type JobEventRow = {
  atMs: number;
  type: string;
  state: JobState;
  attempt: string | null;
  actor: string;
  message: string;
};

export async function listJobEvents(sql: QueryRunner, teamId: string, job: string): Promise<JobEventRow[]> {
  return await sql<JobEventRow[]>`
    select round(extract(epoch from e.at) * 1000)::float8 as "atMs", e.type, e.state, a.public_id as attempt, e.actor,
      e.message
    from job_event e join job j on j.id = e.job_id left join attempt a on a.id = e.attempt_id
    where j.team_id = ${teamId} and j.public_id = ${job}
    order by e.id`;
}
