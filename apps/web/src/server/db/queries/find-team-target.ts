import { and, eq, isNull, or } from "drizzle-orm";
import type { Database } from "../database.ts";
import { target } from "../schema/target.ts";

/** A target that is still in the fleet, by public id or name. */
export async function findTeamTarget(db: Database, teamId: string, idOrName: string) {
  const rows = await db
    .select({ id: target.id, publicId: target.publicId, name: target.name })
    .from(target)
    .where(
      and(
        eq(target.teamId, teamId),
        isNull(target.revokedAt),
        or(eq(target.publicId, idOrName), eq(target.name, idOrName)),
      ),
    );
  return rows[0] ?? null;
}
