import { and, eq, isNull } from "drizzle-orm";
import type { Database } from "../database.ts";
import { target } from "../schema/target.ts";

export type TargetChange = Partial<{
  name: string;
  labels: Record<string, string>;
  cordoned: boolean;
  draining: boolean;
}>;

/** @returns false when the target left the fleet. A name that is taken violates `target_team_name`. */
export async function updateTarget(db: Database, id: number, change: TargetChange): Promise<boolean> {
  const rows = await db
    .update(target)
    .set(change)
    .where(and(eq(target.id, id), isNull(target.revokedAt)))
    .returning({ id: target.id });
  return rows.length > 0;
}
