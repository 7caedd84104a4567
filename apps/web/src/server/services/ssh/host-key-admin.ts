/** What admins see of host keys, and the audited replacement of one. */
import type { SshHostKey } from "@nexus/shared/api/ssh";
import { NexusError } from "@nexus/shared/errors";
import { replaceHostKey } from "@nexus/ssh/host-keys/host-key-store";
import { fingerprintOf, type PublicKey } from "@nexus/ssh/host-keys/public-key";
import type { Database } from "../../db/database.ts";
import { listSshHostKeys } from "../../db/queries/list-ssh-host-keys.ts";
import type { Clock, Principal } from "../ports.ts";
import type { ParsedInput } from "../services.ts";
import { teamHostKeys } from "./team-host-keys.ts";

type Parts = { db: Database; clock: Clock };
type Row = Awaited<ReturnType<typeof listSshHostKeys>>[number];

export async function listHostKeys({ db }: Parts, { teamId }: Principal): Promise<SshHostKey[]> {
  return (await listSshHostKeys(db, teamId)).map(toApi);
}

export async function replaceKnownKey(
  parts: Parts,
  principal: Principal,
  input: ParsedInput<"ssh.replaceHostKey">,
): Promise<SshHostKey> {
  const row = await find(parts, principal, input.name);
  const old = row.pinned.find((key) => fingerprintOf(key) === input.old);
  if (old === undefined) {
    throw new NexusError("conflict", {
      detail: `${input.name} is not known by ${input.old} (any more). Look at the list again.`,
    });
  }
  if (row.refused === null || fingerprintOf(row.refused) !== input.new) {
    throw new NexusError("conflict", {
      detail: `${input.name} has not shown ${input.new} to Nexus. Connect once, compare the key that is refused with the machine's own (ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub there), and name its fingerprint.`,
    });
  }
  const by = `${principal.userName} (${principal.userId})`;
  const replacement = { name: input.name, old, new: row.refused, by, reason: input.reason };
  await replaceHostKey(teamHostKeys(parts, principal), replacement);
  return toApi(await find(parts, principal, input.name));
}

async function find({ db }: Parts, { teamId }: Principal, name: string): Promise<Row> {
  const row = (await listSshHostKeys(db, teamId)).find((one) => one.name === name);
  if (row === undefined) throw new NexusError("not_found", { detail: `No key of a host ${name} is known.` });
  return row;
}

function toApi({ name, pinned, revoked, refused, refusedAt }: Row): SshHostKey {
  const shown = (key: PublicKey) => ({ type: key.type, fingerprint: fingerprintOf(key) });
  return {
    name,
    known: pinned.map(shown),
    revoked: revoked.map(shown),
    refused: refused === null ? null : { ...shown(refused), atMs: refusedAt?.getTime() ?? 0 },
  };
}
