import type { QueryRunner } from "../query-runner.ts";

export type GpuSampleRow = {
  gpuId: number;
  sampledAtMs: number;
  memoryUsedMib: number | null;
  utilizationPct: number | null;
  powerW: number | null;
  temperatureC: number | null;
};

/** A GPU that is gone meanwhile is left out. */
export async function insertGpuSamples(sql: QueryRunner, samples: GpuSampleRow[]): Promise<void> {
  await sql`
    insert into gpu_sample (gpu_id, sampled_at, memory_used_mib, utilization_pct, power_w, temperature_c)
    select x."gpuId", to_timestamp(x."sampledAtMs" / 1000), round(x."memoryUsedMib"), round(x."utilizationPct"),
      round(x."powerW"), round(x."temperatureC")
    from json_to_recordset(${JSON.stringify(samples)}::text::json) as x(
      "gpuId" bigint, "sampledAtMs" float8, "memoryUsedMib" float8, "utilizationPct" float8, "powerW" float8,
      "temperatureC" float8)
    join gpu g on g.id = x."gpuId"`;
}
