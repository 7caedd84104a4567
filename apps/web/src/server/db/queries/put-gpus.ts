import type { GpuFacts } from "@nexus/shared/protocol/messages";
import type { QueryRunner } from "../query-runner.ts";
import type { GpuRow } from "./list-gpus.ts";

/** A node's GPUs as it reports them. Those it no longer has are kept, marked missing: jobs and samples speak of them. */
export async function putGpus(
  sql: QueryRunner,
  targetId: number,
  { gpus, nowMs }: { gpus: GpuFacts[]; nowMs: number },
): Promise<GpuRow[]> {
  const rows = gpus.map((facts) => ({ uuid: facts.uuid, facts }));
  return await sql<GpuRow[]>`
    with input as materialized (
      select * from json_to_recordset(${JSON.stringify(rows)}::text::json) as x(uuid text, facts jsonb)
    ), present as (
      insert into gpu (target_id, uuid, facts) select ${targetId}::bigint, uuid, facts from input
      on conflict (target_id, uuid) do update set facts = excluded.facts, missing_since = null
      returning id, target_id, facts, blocked, missing_since
    ), gone as (
      update gpu set missing_since = coalesce(missing_since, to_timestamp(${nowMs}::float8 / 1000))
      where target_id = ${targetId}::bigint and uuid not in (select uuid from input)
      returning id, target_id, facts, blocked, missing_since
    )
    select id::float8 as id, target_id::float8 as "targetId", facts, blocked, missing_since is not null as "isMissing"
    from (select * from present union all select * from gone) g`;
}
