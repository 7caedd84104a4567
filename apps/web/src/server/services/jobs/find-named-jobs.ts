import { findJobs } from "../../db/queries/find-jobs.ts";
import { findJobsByPrefix } from "../../db/queries/find-jobs-by-prefix.ts";
import type { JobRow } from "../../db/queries/job-row.ts";
import type { QueryRunner } from "../../db/query-runner.ts";

const BEGINNING_CHARS_MIN = 4;

/** The jobs that were named, each by its id or by the beginning of it that no other has. Ids that name none stay away. */
export async function findNamedJobs(
  sql: QueryRunner,
  teamId: string,
  names: string[],
): Promise<Map<string, JobRow>> {
  const found = new Map((await findJobs(sql, teamId, names)).map((row) => [row.publicId, row]));
  for (const name of new Set(names)) {
    if (found.has(name) || name.length < BEGINNING_CHARS_MIN) continue;
    const ids = await findJobsByPrefix(sql, teamId, name);
    const [row] = ids.length === 1 ? await findJobs(sql, teamId, ids) : [];
    if (row) found.set(name, row);
  }
  return found;
}
