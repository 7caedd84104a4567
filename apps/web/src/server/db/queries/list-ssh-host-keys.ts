import { asc, eq } from "drizzle-orm";
import type { Database } from "../database.ts";
import { sshHostKey } from "../schema/ssh.ts";

export async function listSshHostKeys(db: Database, teamId: string) {
  return await db
    .select({
      name: sshHostKey.name,
      pinned: sshHostKey.pinned,
      revoked: sshHostKey.revoked,
      refused: sshHostKey.refused,
      refusedAt: sshHostKey.refusedAt,
      updatedAt: sshHostKey.updatedAt,
    })
    .from(sshHostKey)
    .where(eq(sshHostKey.teamId, teamId))
    .orderBy(asc(sshHostKey.name));
}
