import { and, eq, isNull } from "drizzle-orm";
import type { Database } from "../database.ts";
import { targetSsh } from "../schema/ssh.ts";
import { target } from "../schema/target.ts";

export type AgentlessTarget = Awaited<ReturnType<typeof listAgentlessTargets>>[number];

/** Targets of kind `ssh` that are in the fleet, with the way to each; `only` picks one. */
export async function listAgentlessTargets(db: Database, only: number | null) {
  return await db
    .select({
      targetId: target.id,
      publicId: target.publicId,
      teamId: target.teamId,
      name: target.name,
      host: targetSsh.host,
      port: targetSsh.port,
      user: targetSsh.user,
      jumps: targetSsh.jumps,
      transports: targetSsh.transports,
      hostKeyName: targetSsh.hostKeyName,
      isLegacy: targetSsh.isLegacy,
      sealedPrivateKey: targetSsh.sealedPrivateKey,
      sealedCloudflareToken: targetSsh.sealedCloudflareToken,
    })
    .from(target)
    .innerJoin(targetSsh, eq(targetSsh.targetId, target.id))
    .where(
      and(eq(target.kind, "ssh"), isNull(target.revokedAt), only === null ? undefined : eq(target.id, only)),
    );
}
