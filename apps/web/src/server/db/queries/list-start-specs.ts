import type { QueryRunner } from "../query-runner.ts";

export type StartSpecRow = {
  attempt: string;
  job: string;
  command: string[];
  env: Record<string, string>;
  cwd: string | null;
};

/** What to run, for starts that are sent again: the live jobs hold neither commands nor environments. */
export async function listStartSpecs(sql: QueryRunner, attemptIds: number[]): Promise<StartSpecRow[]> {
  return await sql<StartSpecRow[]>`
    select a.public_id as attempt, j.public_id as job, j.command, j.env, j.cwd
    from attempt a join job j on j.id = a.job_id
    where a.id = any(${attemptIds}::bigint[]) and a.ended_at is null`;
}
