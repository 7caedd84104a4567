import { and, asc, eq, isNull } from "drizzle-orm";
import type { Database } from "../database.ts";
import { targetSsh } from "../schema/ssh.ts";
import { target } from "../schema/target.ts";

/** Targets of a team that are known to be reached over SSH, with an agent or without, by name. */
export async function listTargetWays(db: Database, teamId: string) {
  return await db
    .select({
      targetId: target.id,
      publicId: target.publicId,
      name: target.name,
      kind: target.kind,
      host: targetSsh.host,
      port: targetSsh.port,
      user: targetSsh.user,
      jumps: targetSsh.jumps,
      transports: targetSsh.transports,
      hostKeyName: targetSsh.hostKeyName,
      isLegacy: targetSsh.isLegacy,
      publicKey: targetSsh.publicKey,
    })
    .from(target)
    .innerJoin(targetSsh, eq(targetSsh.targetId, target.id))
    .where(and(eq(target.teamId, teamId), isNull(target.revokedAt)))
    .orderBy(asc(target.name));
}
