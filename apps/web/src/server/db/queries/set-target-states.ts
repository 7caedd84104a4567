import type { TargetState } from "@nexus/shared/machines/target";
import type { QueryRunner } from "../query-runner.ts";

export type TargetStateChange = { targetId: number; state: TargetState };

/** Revoked targets stay revoked. */
export async function setTargetStates(
  sql: QueryRunner,
  changes: TargetStateChange[],
  nowMs: number,
): Promise<void> {
  await sql`
    update target set state = x.state, state_since = to_timestamp(${nowMs}::float8 / 1000)
    from json_to_recordset(${JSON.stringify(changes)}::text::json) as x("targetId" bigint, "state" text)
    where target.id = x."targetId" and target.revoked_at is null and target.state <> x.state`;
}
