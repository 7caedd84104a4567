import type { QueryRunner } from "../query-runner.ts";

/** At most two ids that begin so: enough to tell whether the prefix names one job. */
export async function findJobsByPrefix(sql: QueryRunner, teamId: string, prefix: string): Promise<string[]> {
  const rows = await sql<{ publicId: string }[]>`
    select public_id as "publicId" from job
    where team_id = ${teamId} and starts_with(public_id, ${prefix}) order by id desc limit 2`;
  return rows.map((row) => row.publicId);
}
