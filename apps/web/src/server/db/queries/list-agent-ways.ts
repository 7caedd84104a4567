import { and, eq, isNull } from "drizzle-orm";
import type { Database } from "../database.ts";
import { targetSsh } from "../schema/ssh.ts";
import { target } from "../schema/target.ts";

/** Targets of a team that have an agent and are known to be reached over SSH too. */
export async function listAgentWays(db: Database, teamId: string) {
  return await db
    .select({
      publicId: target.publicId,
      name: target.name,
      host: targetSsh.host,
      port: targetSsh.port,
      user: targetSsh.user,
      jumps: targetSsh.jumps,
      hostKeyName: targetSsh.hostKeyName,
    })
    .from(target)
    .innerJoin(targetSsh, eq(targetSsh.targetId, target.id))
    .where(and(eq(target.teamId, teamId), eq(target.kind, "agent"), isNull(target.revokedAt)));
}
