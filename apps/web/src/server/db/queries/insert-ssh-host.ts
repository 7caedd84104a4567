import type { Database } from "../database.ts";
import { sshHostKey } from "../schema/ssh.ts";

/** Makes sure that there is a row to lock. */
export async function insertSshHost(db: Database, of: { teamId: string; name: string }): Promise<void> {
  await db.insert(sshHostKey).values(of).onConflictDoNothing();
}
