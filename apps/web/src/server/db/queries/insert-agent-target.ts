import type { HostFacts } from "@nexus/shared/protocol/messages";
import { sql } from "drizzle-orm";
import type { Database } from "../database.ts";
import { target } from "../schema/target.ts";

export type NewAgentTarget = {
  publicId: string;
  teamId: string;
  name: string;
  labels: Record<string, string>;
  facts: HostFacts;
};

/** @returns null when a live target of the team has that name. */
export async function insertAgentTarget(db: Database, given: NewAgentTarget): Promise<number | null> {
  const rows = await db
    .insert(target)
    .values({ ...given, kind: "agent", state: "connecting" })
    .onConflictDoNothing({ target: [target.teamId, target.name], where: sql`${target.revokedAt} is null` })
    .returning({ id: target.id });
  return rows[0]?.id ?? null;
}
