import type { QueryRunner } from "../query-runner.ts";

export type QueueRow = {
  id: number;
  teamId: string;
  name: string;
  priority: number;
  paused: boolean;
  runningMax: number | null;
  gpusMax: number | null;
  userRunningMax: number | null;
  userGpusMax: number | null;
  selector: { labels: Record<string, string>; targets: { id: number; name: string }[] };
};

export async function listQueues(sql: QueryRunner): Promise<QueueRow[]> {
  return await sql<QueueRow[]>`
    select q.id::float8 as id, q.team_id as "teamId", q.name, q.priority, q.paused, q.running_max as "runningMax",
      q.gpus_max as "gpusMax", q.user_running_max as "userRunningMax", q.user_gpus_max as "userGpusMax",
      jsonb_build_object('labels', q.selector -> 'labels', 'targets', coalesce((
        select jsonb_agg(jsonb_build_object('id', wanted.id, 'name', coalesce(t.name, 'a target that left')) order by wanted.id)
        from (select value::bigint as id from jsonb_array_elements_text(q.selector -> 'targetIds')) wanted
          left join target t on t.id = wanted.id
      ), '[]')) as selector
    from queue q where q.removed_at is null order by q.team_id, q.name`;
}
