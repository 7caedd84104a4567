import { and, eq } from "drizzle-orm";
import type { Database } from "../database.ts";
import { nodeKey, target } from "../schema/target.ts";
import { team } from "../schema/team.ts";

/** The node that this key enrolled with this token: an enrolment whose answer was lost is answered again from here. */
export async function findEnrolledNode(db: Database, enrollTokenId: number, publicKey: string) {
  const rows = await db
    .select({ nodeId: target.publicId, name: target.name, team: team.name, revokedAt: target.revokedAt })
    .from(nodeKey)
    .innerJoin(target, eq(target.id, nodeKey.targetId))
    .innerJoin(team, eq(team.id, target.teamId))
    .where(and(eq(nodeKey.enrollTokenId, enrollTokenId), eq(nodeKey.publicKey, publicKey)));
  return rows[0] ?? null;
}
