import { type KnownHosts, knownOfHost } from "./known-hosts.ts";
import { hasKey, type PublicKey } from "./public-key.ts";

/** All that is known of one host, before a key is looked at. */
export type HostKeyTrust = {
  /** The name in known_hosts: `host`, `[host]:port`, or an alias. */
  name: string;
  /** Confirmed by us. When there are any, they alone decide. */
  pinned: readonly PublicKey[];
  revoked: readonly PublicKey[];
  knownHosts: KnownHosts;
};

export type HostKeyVerdict =
  | { kind: "trusted"; by: "pinned" | "known_hosts" }
  | { kind: "revoked" }
  | { kind: "changed"; by: "pinned" | "known_hosts"; expected: readonly PublicKey[] }
  /** `hasAuthority`: known_hosts trusts a certificate authority for this host, which only the system's ssh can check. */
  | { kind: "unknown"; hasAuthority: boolean };

/**
 * Revoked keys are refused first. Then our own store decides, then known_hosts; only a host that neither knows may be
 * asked about. A known host that shows a key of another type has changed too: a type that nobody confirmed proves nothing.
 */
export function judgeHostKey(trust: HostKeyTrust, key: PublicKey): HostKeyVerdict {
  const known = knownOfHost(trust.knownHosts, trust.name);
  if (hasKey(trust.revoked, key) || hasKey(known.revoked, key)) return { kind: "revoked" };
  if (trust.pinned.length > 0) {
    return hasKey(trust.pinned, key)
      ? { kind: "trusted", by: "pinned" }
      : { kind: "changed", by: "pinned", expected: trust.pinned };
  }
  if (hasKey(known.keys, key)) return { kind: "trusted", by: "known_hosts" };
  if (known.keys.length > 0) return { kind: "changed", by: "known_hosts", expected: known.keys };
  return { kind: "unknown", hasAuthority: known.authorities.length > 0 };
}

/** Types of the keys that would be trusted: asking the server for these first avoids meeting a key nobody confirmed. */
export function trustedTypes(trust: HostKeyTrust): string[] {
  const keys = trust.pinned.length > 0 ? trust.pinned : knownOfHost(trust.knownHosts, trust.name).keys;
  return [...new Set(keys.map((key) => key.type))];
}

/**
 * What the pinned keys become when a server, already verified by `current`, announces and proves its keys
 * (`hostkeys-00@openssh.com`). Keys of types that this client cannot prove stay. Undefined when nothing changes.
 */
export function rotateKeys(rotation: {
  pinned: readonly PublicKey[];
  revoked: readonly PublicKey[];
  current: PublicKey;
  proven: readonly PublicKey[];
  provableTypes: readonly string[];
}): PublicKey[] | undefined {
  const { pinned, revoked, current, proven, provableTypes } = rotation;
  // An announcement without the key in use is a broken or a hostile server: nothing is learnt from it.
  if (!hasKey(pinned, current) || !hasKey(proven, current)) return undefined;
  const added = proven.filter((key) => !hasKey(pinned, key) && !hasKey(revoked, key));
  const kept = pinned.filter((key) => hasKey(proven, key) || !provableTypes.includes(key.type));
  if (added.length === 0 && kept.length === pinned.length) return undefined;
  return [...kept, ...added];
}
