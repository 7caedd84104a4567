import { eq } from "drizzle-orm";
import type { Database } from "../database.ts";
import { target } from "../schema/target.ts";
import { team } from "../schema/team.ts";

export async function findTarget(db: Database, id: number) {
  const rows = await db
    .select({
      publicId: target.publicId,
      name: target.name,
      team: team.name,
      teamId: target.teamId,
      kind: target.kind,
      revokedAt: target.revokedAt,
    })
    .from(target)
    .innerJoin(team, eq(team.id, target.teamId))
    .where(eq(target.id, id));
  return rows[0] ?? null;
}
