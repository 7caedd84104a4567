import type { QueryRunner } from "../query-runner.ts";

export async function markLogsRemoved(sql: QueryRunner, attemptIds: number[], nowMs: number): Promise<void> {
  await sql`
    update attempt set log_removed_at = to_timestamp(${nowMs}::float8 / 1000)
    where id = any(${attemptIds}::bigint[]) and closed_at is not null`;
}
