import type { QueryRunner } from "../query-runner.ts";

/** A try of a job by its number, the latest or one before; null when there was none. */
export async function findJobAttempt(
  sql: QueryRunner,
  { teamId, job, fence }: { teamId: string; job: string; fence: number },
): Promise<string | null> {
  const [row] = await sql<{ attempt: string }[]>`
    select a.public_id as attempt from attempt a join job j on j.id = a.job_id
    where j.team_id = ${teamId} and j.public_id = ${job} and a.fence = ${fence}::int`;
  return row?.attempt ?? null;
}
