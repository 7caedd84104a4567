import { assert } from "@nexus/shared/assert";
import { NexusError } from "@nexus/shared/errors";
import { SshError } from "../ssh-error.ts";
import type { HostKeyStore } from "./host-key-store.ts";
import { type HostKeyTrust, judgeHostKey, rotateKeys, trustedTypes } from "./judge-host-key.ts";
import { formatKnownHostsLine, type KnownHosts, knownOfHost, NO_KNOWN_HOSTS } from "./known-hosts.ts";
import { fingerprintOf, type PublicKey, showKey } from "./public-key.ts";

/**
 * Decides about the host keys of one host, for both engines. A connection cannot be made without one, and only
 * `createHostKeyVerifier` makes one: there is no verifier that accepts everything.
 */
export type HostKeyVerifier = {
  readonly name: string;
  /** Resolves when the key is trusted; throws an `SshError` of a `host_key_*` failure otherwise. */
  verify(key: PublicKey): Promise<void>;
  /** Learns the keys that the verified server announced and proved. */
  learn(current: PublicKey, proven: readonly PublicKey[], provableTypes: readonly string[]): Promise<void>;
  trustedTypes(): Promise<string[]>;
  /** The same trust as a known_hosts file, for the system's ssh. Empty when nothing is trusted. */
  knownHostsText(): Promise<string>;
};

export type HostKeyQuestion = { name: string; type: string; fingerprint: string };

export type HostKeyVerifierOptions = {
  /** `host`, `[host]:port`, or one alias for all the ways to the same machine (see `hostKeyName`). */
  name: string;
  store: HostKeyStore;
  knownHosts?: KnownHosts;
  /** Who is recorded for what is learnt. */
  by: string;
  /** Asked once about a host that nobody knows, with its fingerprint. Without it such a host is refused. */
  confirm?: (question: HostKeyQuestion) => Promise<boolean>;
  /** Told of the key that a known host showed instead of its own, before it is refused: for who may replace it. */
  onChanged?: (shown: PublicKey) => Promise<void>;
};

const made = new WeakSet<HostKeyVerifier>();

/** For constructors: a verifier of another make, or none, is our bug. */
export function assertVerifier(verifier: HostKeyVerifier): void {
  assert(made.has(verifier), "an SSH connection needs a verifier made by createHostKeyVerifier");
}

export function createHostKeyVerifier(options: HostKeyVerifierOptions): HostKeyVerifier {
  const { name, store, by, knownHosts = NO_KNOWN_HOSTS, confirm, onChanged } = options;

  async function readTrust(): Promise<HostKeyTrust> {
    const stored = await store.read(name);
    return { name, pinned: stored.pinned, revoked: stored.revoked, knownHosts };
  }

  async function pin(key: PublicKey, kind: "confirm" | "adopt"): Promise<void> {
    const before = await store.read(name);
    const reason = kind === "confirm" ? "fingerprint confirmed" : "known in known_hosts";
    await store.write({ name, kind, before, after: { ...before, pinned: [key] }, by, reason });
  }

  async function decide(key: PublicKey): Promise<void> {
    const verdict = judgeHostKey(await readTrust(), key);
    if (verdict.kind === "trusted") {
      if (verdict.by === "known_hosts") await pin(key, "adopt");
    } else if (verdict.kind === "revoked") {
      throw new SshError("host_key_revoked", `${name} shows a key that was revoked: ${showKey(key)}`);
    } else if (verdict.kind === "changed") {
      await onChanged?.(key);
      const expected = verdict.expected.map(showKey).join(", ");
      throw new SshError(
        "host_key_changed",
        `The host key of ${name} is not the one that is known. Known: ${expected}. Shown: ${showKey(key)}. ` +
          "If the machine was set up anew, replace its key; else somebody may be in between.",
      );
    } else if (await confirm?.({ name, type: key.type, fingerprint: fingerprintOf(key) })) {
      await pin(key, "confirm");
    } else {
      const authority = verdict.hasAuthority
        ? " A certificate authority vouches for that machine, which the engine ssh2 cannot check: confirm this key, or use the engine openssh."
        : "";
      throw new SshError(
        "host_key_unknown",
        `Nobody has confirmed the host key of ${name}: ${showKey(key)}.${authority}`,
      );
    }
  }

  const verifier: HostKeyVerifier = {
    name,
    async verify(key) {
      try {
        await decide(key);
      } catch (error) {
        // Another connection to the same host was first: what it stored decides now.
        if (!(error instanceof NexusError && error.code === "conflict")) throw error;
        await decide(key);
      }
    },
    async learn(current, proven, provableTypes) {
      const before = await store.read(name);
      const pinned = rotateKeys({ ...before, current, proven, provableTypes });
      if (pinned === undefined) return;
      const reason = `announced by the server that proved ${fingerprintOf(current)}`;
      await store.write({ name, kind: "rotate", before, after: { ...before, pinned }, by, reason });
    },
    async trustedTypes() {
      return trustedTypes(await readTrust());
    },
    async knownHostsText() {
      const { pinned, revoked } = await readTrust();
      const known = knownOfHost(knownHosts, name);
      const isOurs = pinned.length > 0;
      return [
        ...[...revoked, ...known.revoked].map((key) => formatKnownHostsLine(name, key, "revoked")),
        ...(isOurs ? pinned : known.keys).map((key) => formatKnownHostsLine(name, key)),
        // Keys that we pinned decide alone here too: an authority would be a second way in.
        ...(isOurs ? [] : known.authorities).map((key) => formatKnownHostsLine(name, key, "authority")),
      ].join("");
    },
  };
  made.add(verifier);
  return verifier;
}
