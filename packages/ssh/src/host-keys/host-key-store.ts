import { NexusError } from "@nexus/shared/errors";
import { hasKey, type PublicKey } from "./public-key.ts";

/** The keys that we confirmed for one host name, and those that must never be accepted again. */
export type StoredHostKeys = { pinned: PublicKey[]; revoked: PublicKey[] };

/** One change is one audit record: nothing else alters the keys of a host. */
export type HostKeyChange = {
  name: string;
  /** confirm: a person looked at the fingerprint. adopt: from known_hosts. rotate: announced and proven. replace: audited. */
  kind: "confirm" | "adopt" | "rotate" | "replace" | "revoke";
  before: StoredHostKeys;
  after: StoredHostKeys;
  by: string;
  reason: string;
};

/** Where the product keeps host keys. `write` refuses with `conflict` when `before` is no longer what is stored. */
export type HostKeyStore = {
  read(name: string): Promise<StoredHostKeys>;
  write(change: HostKeyChange): Promise<void>;
};

export type HostKeyReplacement = { name: string; old: PublicKey; new: PublicKey; by: string; reason: string };

/**
 * The only way on after a host's key changed: a person names the old key, the new key, and why. The old key is revoked
 * for this host, so that a machine that still holds it is not taken for the new one.
 */
export async function replaceHostKey(store: HostKeyStore, replacement: HostKeyReplacement): Promise<void> {
  const { name, by, reason } = replacement;
  if (by.trim() === "" || reason.trim() === "") {
    throw new NexusError("bad_request", { detail: "Replacing a host key needs who does it and why." });
  }
  const before = await store.read(name);
  if (!hasKey(before.pinned, replacement.old)) {
    throw new NexusError("conflict", { detail: `${name} is not known by that key (any more).` });
  }
  if (hasKey(before.revoked, replacement.new)) {
    throw new NexusError("forbidden", { detail: `The new key of ${name} was revoked before.` });
  }
  const after = { pinned: [replacement.new], revoked: [...before.revoked, replacement.old] };
  await store.write({ name, kind: "replace", before, after, by, reason });
}

/** A store in memory, for the CLI's one-shot commands and tests; `changes` is its audit trail. */
export function memoryHostKeys(): HostKeyStore & { changes: HostKeyChange[] } {
  const hosts = new Map<string, StoredHostKeys>();
  const changes: HostKeyChange[] = [];
  const read = (name: string) => hosts.get(name) ?? { pinned: [], revoked: [] };
  return {
    changes,
    read: async (name) => read(name),
    async write(change) {
      if (JSON.stringify(read(change.name)) !== JSON.stringify(change.before)) {
        throw new NexusError("conflict", { detail: `The keys of ${change.name} changed meanwhile.` });
      }
      hosts.set(change.name, change.after);
      changes.push(change);
    },
  };
}
