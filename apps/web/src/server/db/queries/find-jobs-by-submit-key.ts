import type { QueryRunner } from "../query-runner.ts";
import { type JobRow, jobColumns, jobTables } from "./job-row.ts";

export type SubmittedJobRow = JobRow & { submitKey: string };

export async function findJobsBySubmitKey(
  sql: QueryRunner,
  teamId: string,
  submitKeys: string[],
): Promise<SubmittedJobRow[]> {
  return await sql<SubmittedJobRow[]>`
    select ${jobColumns(sql)}, j.submit_key as "submitKey" from ${jobTables(sql)}
    where j.team_id = ${teamId} and j.submit_key = any(${submitKeys}::text[])`;
}
