import type { QueryRunner } from "../query-runner.ts";

export type QueueRow = {
  id: number;
  teamId: string;
  name: string;
  priority: number;
  paused: boolean;
  runningMax: number | null;
};

export async function listQueues(sql: QueryRunner): Promise<QueueRow[]> {
  return await sql<QueueRow[]>`
    select id::float8 as id, team_id as "teamId", name, priority, paused, running_max as "runningMax"
    from queue order by team_id, name`;
}
