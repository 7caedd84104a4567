import type { TargetState } from "@nexus/shared/machines/target";
import type { HostFacts } from "@nexus/shared/protocol/messages";
import type { QueryRunner } from "../query-runner.ts";

export type TargetRow = {
  id: number;
  publicId: string;
  teamId: string;
  name: string;
  kind: "agent" | "ssh";
  state: TargetState;
  stateSinceMs: number;
  cordoned: boolean;
  draining: boolean;
  labels: Record<string, string>;
  facts: HostFacts | null;
  createdAtMs: number;
  lastSeenAtMs: number | null;
};

/** Targets in the fleet; `only` picks one. Revoked ones are not in it. */
export async function listFleet(sql: QueryRunner, only: number | null): Promise<TargetRow[]> {
  return await sql<TargetRow[]>`
    select t.id::float8 as id, t.public_id as "publicId", t.team_id as "teamId", t.name, t.kind, t.state,
      round(extract(epoch from t.state_since) * 1000)::float8 as "stateSinceMs", t.cordoned, t.draining, t.labels,
      t.facts, round(extract(epoch from t.created_at) * 1000)::float8 as "createdAtMs",
      round(extract(epoch from h.last_seen_at) * 1000)::float8 as "lastSeenAtMs"
    from target t left join target_heartbeat h on h.target_id = t.id
    where t.revoked_at is null and (${only}::bigint is null or t.id = ${only}::bigint)`;
}
