import type { QueryRunner } from "../query-runner.ts";
import { type JobRow, jobColumns, jobTables } from "./job-row.ts";

/** Those of the ids that are the team's, in no promised order. */
export async function findJobs(sql: QueryRunner, teamId: string, publicIds: string[]): Promise<JobRow[]> {
  return await sql<JobRow[]>`
    select ${jobColumns(sql)} from ${jobTables(sql)}
    where j.team_id = ${teamId} and j.public_id = any(${publicIds}::text[])`;
}
