import type { JobState } from "@nexus/shared/machines/job";
import type { Fragment } from "postgres";
import type { QueryRunner } from "../query-runner.ts";
import { type JobRow, jobColumns, jobTables } from "./job-row.ts";

export type JobFilter = {
  teamId: string;
  states: readonly JobState[] | null;
  userId: string | null;
  /** Name or public id. */
  target: string | null;
  queue: string | null;
  text: string | null;
};

export type JobPage = { filter: JobFilter; beforeId: number | null; limit: number };

/** Newest first. */
export async function listJobs(sql: QueryRunner, page: JobPage): Promise<JobRow[]> {
  const { filter, beforeId, limit } = page;
  return await sql<JobRow[]>`
    select ${jobColumns(sql)} from ${jobTables(sql)}
    where ${matches(sql, filter)} ${beforeId === null ? sql`` : sql`and j.id < ${beforeId}::bigint`}
    order by j.id desc limit ${limit}::int`;
}

/** Ids only, for an order that is known in memory. */
export async function listJobIds(
  sql: QueryRunner,
  filter: JobFilter,
): Promise<{ publicId: string; state: JobState }[]> {
  return await sql<{ publicId: string; state: JobState }[]>`
    select j.public_id as "publicId", j.state from ${jobTables(sql)} where ${matches(sql, filter)} order by j.id desc`;
}

/** How many match; beyond `max` it is not counted on, since nobody pages that far. */
export async function countJobs(sql: QueryRunner, filter: JobFilter, max: number): Promise<number> {
  const rows = await sql<{ total: number }[]>`
    select count(*)::float8 as total
    from (select 1 from ${jobTables(sql)} where ${matches(sql, filter)} limit ${max}::int) counted`;
  return rows[0]?.total ?? 0;
}

function matches(sql: QueryRunner, filter: JobFilter): Fragment {
  const { teamId, states, userId, target, queue, text } = filter;
  return sql`
    j.team_id = ${teamId}
    ${states === null ? sql`` : sql`and j.state = any(${[...states]}::text[])`}
    ${userId === null ? sql`` : sql`and j.user_id = ${userId}`}
    ${target === null ? sql`` : sql`and (t.name = ${target} or t.public_id = ${target})`}
    ${queue === null ? sql`` : sql`and q.name = ${queue}`}
    ${
      text === null
        ? sql``
        : sql`and (strpos(lower(j.public_id), ${text}) > 0 or strpos(lower(j.name), ${text}) > 0
            or strpos(lower((select string_agg(word, ' ') from jsonb_array_elements_text(j.command) word)), ${text}) > 0)`
    }`;
}
