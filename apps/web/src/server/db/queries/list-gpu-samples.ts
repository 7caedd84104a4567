import type { GpuPoint } from "@nexus/shared/api/schemas";
import type { QueryRunner } from "../query-runner.ts";

export type SampleRange = {
  targetId: number;
  /** Null takes all GPUs of the target. */
  uuids: string[] | null;
  sinceMs: number;
  untilMs: number;
  /** Points are averaged over this much, so that a week draws as fast as an hour. */
  stepMs: number;
};

export async function listGpuSamples(sql: QueryRunner, range: SampleRange): Promise<GpuPoint[]> {
  const { targetId, uuids, sinceMs, untilMs, stepMs } = range;
  return await sql<GpuPoint[]>`
    select floor(extract(epoch from s.sampled_at) * 1000 / ${stepMs}::float8)::float8 * ${stepMs}::float8 as "atMs", g.uuid,
      round(avg(s.memory_used_mib))::float8 as "memoryUsedMib", round(avg(s.utilization_pct))::float8 as "utilizationPct",
      round(avg(s.power_w))::float8 as "powerW", round(avg(s.temperature_c))::float8 as "temperatureC"
    from gpu_sample s join gpu g on g.id = s.gpu_id
    where g.target_id = ${targetId}::bigint
      and s.sampled_at between to_timestamp(${sinceMs}::float8 / 1000) and to_timestamp(${untilMs}::float8 / 1000)
      ${uuids === null ? sql`` : sql`and g.uuid = any(${uuids}::text[])`}
    group by 1, 2 order by 1, 2`;
}
