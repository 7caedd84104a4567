import type { QueryRunner } from "../query-runner.ts";

/** With their attempts and their history. Jobs that are queued or active stay, whoever names them. */
export async function deleteJobs(sql: QueryRunner, jobIds: number[]): Promise<void> {
  await sql`
    delete from job where id = any(${jobIds}::bigint[])
      and state in ('succeeded', 'failed', 'cancelled', 'timed_out', 'lost')`;
}
