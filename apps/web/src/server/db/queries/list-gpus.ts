import type { GpuFacts } from "@nexus/shared/protocol/messages";
import type { QueryRunner } from "../query-runner.ts";

export type GpuRow = { id: number; targetId: number; facts: GpuFacts; blocked: boolean; isMissing: boolean };

/** GPUs of the targets in the fleet; `only` picks one target. */
export async function listGpus(sql: QueryRunner, only: number | null): Promise<GpuRow[]> {
  return await sql<GpuRow[]>`
    select g.id::float8 as id, g.target_id::float8 as "targetId", g.facts, g.blocked,
      g.missing_since is not null as "isMissing"
    from gpu g join target t on t.id = g.target_id
    where t.revoked_at is null and (${only}::bigint is null or t.id = ${only}::bigint)`;
}
