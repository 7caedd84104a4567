import type { QueryRunner } from "../query-runner.ts";

/** The log is whole and durable here: nothing more is expected of the agent. */
export async function closeAttempts(sql: QueryRunner, attemptIds: number[], nowMs: number): Promise<void> {
  await sql`
    update attempt set closed_at = to_timestamp(${nowMs}::float8 / 1000)
    where id = any(${attemptIds}::bigint[]) and ended_at is not null and closed_at is null`;
}
