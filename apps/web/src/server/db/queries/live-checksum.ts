import type { QueryRunner } from "../query-runner.ts";

export type LiveChecksum = { jobs: number; versions: number };

/** Versions only grow, so count and sum differ whenever a live job came, went or changed. */
export async function liveChecksum(sql: QueryRunner): Promise<LiveChecksum> {
  const [row] = await sql<LiveChecksum[]>`
    select count(*)::float8 as jobs, coalesce(sum(version), 0)::float8 as versions
    from job where state in ('queued', 'assigned', 'starting', 'running', 'unreachable')`;
  return row ?? { jobs: 0, versions: 0 };
}
