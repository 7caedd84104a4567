import { SshError, type SshFailure } from "@nexus/ssh/ssh-error";

const FINGERPRINT = "ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub";

const WAYS_ON: Partial<Record<SshFailure, string>> = {
  host_key_unknown: `Read its fingerprint on the machine itself (${FINGERPRINT}), and name it: --accept-host-key SHA256:…`,
  host_key_changed: `Read its fingerprint on the machine itself (${FINGERPRINT}). If it was set up anew, an admin replaces the known key: nexus targets replace-host-key <host> --old SHA256:… --new SHA256:… --reason …; nexus targets host-keys shows both.`,
  host_key_revoked:
    "Nobody should use this key: have the machine make new ones (ssh-keygen -A), and add it again.",
};

/** What a person can do about it, beyond what the failure says itself. */
export function wayOnAfter(error: unknown): string | null {
  return error instanceof SshError ? (WAYS_ON[error.failure] ?? null) : null;
}
