import { and, desc, eq, sql } from "drizzle-orm";
import type { Database } from "../database.ts";
import { enrollToken, nodeKey, target } from "../schema/target.ts";
import { user } from "../schema/user.ts";

const LIST_MAX = 200;

/** Newest first, with the nodes that came with each. `publicId` narrows it to one. */
export async function listEnrollTokens(db: Database, teamId: string, publicId: string | null) {
  return await db
    .select({
      publicId: enrollToken.publicId,
      name: enrollToken.name,
      labels: enrollToken.labels,
      uses: enrollToken.uses,
      usesMax: enrollToken.usesMax,
      createdBy: user.name,
      createdAt: enrollToken.createdAt,
      expiresAt: enrollToken.expiresAt,
      revokedAt: enrollToken.revokedAt,
      expired: sql<boolean>`${enrollToken.expiresAt} <= now()`,
      targets: sql<{ id: string; name: string }[]>`coalesce((
        select jsonb_agg(jsonb_build_object('id', ${target.publicId}, 'name', ${target.name}) order by ${target.id})
        from ${nodeKey} join ${target} on ${target.id} = ${nodeKey.targetId}
        where ${nodeKey.enrollTokenId} = ${enrollToken.id}
      ), '[]'::jsonb)`,
    })
    .from(enrollToken)
    .innerJoin(user, eq(user.id, enrollToken.createdBy))
    .where(
      and(eq(enrollToken.teamId, teamId), publicId === null ? undefined : eq(enrollToken.publicId, publicId)),
    )
    .orderBy(desc(enrollToken.id))
    .limit(LIST_MAX);
}
