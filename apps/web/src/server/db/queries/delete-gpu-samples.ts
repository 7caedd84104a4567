import type { QueryRunner } from "../query-runner.ts";

/** Drops at most `limit` samples older than the given time, oldest first. @returns how many. */
export async function deleteGpuSamples(sql: QueryRunner, beforeMs: number, limit: number): Promise<number> {
  const result = await sql`
    delete from gpu_sample where ctid in (
      select ctid from gpu_sample where sampled_at < to_timestamp(${beforeMs}::float8 / 1000) limit ${limit}::int)`;
  return result.count;
}
