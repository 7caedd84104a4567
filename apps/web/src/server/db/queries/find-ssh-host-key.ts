import { and, eq } from "drizzle-orm";
import type { Database } from "../database.ts";
import { sshHostKey } from "../schema/ssh.ts";

/** What a team knows of one host name. `isLocked` keeps others from changing it until the transaction ends. */
export async function findSshHostKey(
  db: Database,
  of: { teamId: string; name: string },
  { isLocked = false } = {},
) {
  const query = db
    .select({ pinned: sshHostKey.pinned, revoked: sshHostKey.revoked, refused: sshHostKey.refused })
    .from(sshHostKey)
    .where(and(eq(sshHostKey.teamId, of.teamId), eq(sshHostKey.name, of.name)));
  const [row] = await (isLocked ? query.for("update") : query);
  return row ?? null;
}
