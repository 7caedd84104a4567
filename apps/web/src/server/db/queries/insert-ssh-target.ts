import { sql } from "drizzle-orm";
import type { Database } from "../database.ts";
import { target } from "../schema/target.ts";

export type NewSshTarget = { publicId: string; teamId: string; name: string; labels: Record<string, string> };

/** A target without an agent. @returns null when a live target of the team has that name. */
export async function insertSshTarget(db: Database, given: NewSshTarget): Promise<number | null> {
  const rows = await db
    .insert(target)
    .values({ ...given, kind: "ssh", state: "connecting" })
    .onConflictDoNothing({ target: [target.teamId, target.name], where: sql`${target.revokedAt} is null` })
    .returning({ id: target.id });
  return rows[0]?.id ?? null;
}
