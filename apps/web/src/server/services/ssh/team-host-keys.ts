/**
 * The host keys of a team, in the database. Every change is one transaction with its line in the audit, and is refused when what
 * it was decided on has changed meanwhile. There is no other way to write them.
 */
import { NexusError } from "@nexus/shared/errors";
import type { HostKeyChange, HostKeyStore } from "@nexus/ssh/host-keys/host-key-store";
import { type PublicKey, showKey } from "@nexus/ssh/host-keys/public-key";
import type { Database } from "../../db/database.ts";
import { findSshHostKey } from "../../db/queries/find-ssh-host-key.ts";
import { insertSshHost } from "../../db/queries/insert-ssh-host.ts";
import { updateSshHostKey } from "../../db/queries/update-ssh-host-key.ts";
import type { Clock, Principal } from "../ports.ts";
import { recordAudit } from "../record-audit.ts";

type Actor = Pick<Principal, "teamId" | "userId" | "userName">;
type Parts = { db: Database; clock: Clock };

export function teamHostKeys({ db, clock }: Parts, actor: Actor): HostKeyStore {
  const { teamId } = actor;
  return {
    async read(name) {
      const row = await findSshHostKey(db, { teamId, name });
      return { pinned: row?.pinned ?? [], revoked: row?.revoked ?? [] };
    },
    async write(change) {
      const of = { teamId, name: change.name };
      const atMs = clock.nowMs();
      await db.transaction(async (tx) => {
        await insertSshHost(tx, of);
        const row = await findSshHostKey(tx, of, { isLocked: true });
        if (!isSame({ pinned: row?.pinned ?? [], revoked: row?.revoked ?? [] }, change.before)) {
          throw new NexusError("conflict", { detail: `The keys of ${change.name} changed meanwhile.` });
        }
        const settled = change.kind === "replace" ? { refused: null, refusedAt: null } : {};
        await updateSshHostKey(tx, of, { ...change.after, ...settled, updatedAt: new Date(atMs) });
        await recordAudit(tx, actor, {
          action: `ssh_host_key.${PAST[change.kind]}`,
          subject: change.name,
          detail: describe(change),
          atMs,
        });
      });
    },
  };
}

/** Kept beside the known keys, so that a person can compare it and put it in their place. */
export async function noteRefusedKey(
  { db, clock }: Parts,
  actor: Actor,
  refused: { name: string; key: PublicKey },
): Promise<void> {
  const of = { teamId: actor.teamId, name: refused.name };
  const atMs = clock.nowMs();
  await db.transaction(async (tx) => {
    await insertSshHost(tx, of);
    const at = new Date(atMs);
    await updateSshHostKey(tx, of, { refused: refused.key, refusedAt: at, updatedAt: at });
    await recordAudit(tx, actor, {
      action: "ssh_host_key.refused",
      subject: refused.name,
      detail: `It showed ${showKey(refused.key)}, which is not the known one.`,
      atMs,
    });
  });
}

const PAST = {
  confirm: "confirmed",
  adopt: "adopted",
  rotate: "rotated",
  replace: "replaced",
  revoke: "revoked",
} as const;

function describe({ before, after, reason }: HostKeyChange): string {
  const list = (keys: readonly PublicKey[]) => keys.map(showKey).join(", ") || "none";
  return before.pinned.length === 0
    ? `Known by ${list(after.pinned)}: ${reason}.`
    : `Known by ${list(after.pinned)} instead of ${list(before.pinned)}: ${reason}.`;
}

type Keys = { pinned: readonly PublicKey[]; revoked: readonly PublicKey[] };

/** Postgres gives an object's fields back in an order of its own. */
function isSame(one: Keys, other: Keys): boolean {
  const text = ({ pinned, revoked }: Keys) =>
    [pinned, revoked]
      .map((keys) => keys.map(({ type, base64 }) => `${type} ${base64}`).join("\n"))
      .join("\n\n");
  return text(one) === text(other);
}
