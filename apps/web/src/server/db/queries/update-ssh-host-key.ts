import { and, eq } from "drizzle-orm";
import type { Database } from "../database.ts";
import { type StoredPublicKey, sshHostKey } from "../schema/ssh.ts";

export type SshHostKeyChange = {
  pinned?: StoredPublicKey[];
  revoked?: StoredPublicKey[];
  refused?: StoredPublicKey | null;
  refusedAt?: Date | null;
  updatedAt: Date;
};

export async function updateSshHostKey(
  db: Database,
  of: { teamId: string; name: string },
  change: SshHostKeyChange,
): Promise<void> {
  await db
    .update(sshHostKey)
    .set(change)
    .where(and(eq(sshHostKey.teamId, of.teamId), eq(sshHostKey.name, of.name)));
}
