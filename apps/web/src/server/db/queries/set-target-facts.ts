import type { HostFacts } from "@nexus/shared/protocol/messages";
import type { QueryRunner } from "../query-runner.ts";

export async function setTargetFacts(sql: QueryRunner, targetId: number, facts: HostFacts): Promise<void> {
  await sql`update target set facts = ${JSON.stringify(facts)}::text::jsonb where id = ${targetId}::bigint`;
}
