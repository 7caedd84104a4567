import type { SshHost } from "@nexus/shared/api/ssh";
import { SshError, type SshFailure } from "@nexus/ssh/ssh-error";

const FINGERPRINT = "ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub";

const WAYS_ON: Partial<Record<SshFailure, string>> = {
  host_key_unknown: `Read its fingerprint on the machine itself (${FINGERPRINT}), and name it: --accept-host-key SHA256:…`,
  host_key_changed: `Read its fingerprint on the machine itself (${FINGERPRINT}). If it was set up anew, an admin replaces the known key: nexus targets replace-host-key <host> --old SHA256:… --new SHA256:… --reason …; nexus targets host-keys shows both.`,
  algorithms_refused:
    "Where nobody can update it: nexus targets add … --legacy, which offers weak algorithms to this machine alone.",
  host_key_revoked:
    "Nobody should use this key: have the machine make new ones (ssh-keygen -A), and add it again.",
};

/** The key of an address is kept by the address: of two machines that have the same one, one needs a name. */
const NAME_IT =
  " If it is another machine, which has the same address behind another jump host, give it a HostKeyAlias in your ssh configuration instead: replacing the key would cut the first one off.";

/** What a person can do about it, beyond what the failure says itself. */
export function wayOnAfter(error: unknown, { jumps }: Pick<SshHost, "jumps">): string | null {
  if (!(error instanceof SshError)) return null;
  const wayOn = WAYS_ON[error.failure];
  if (wayOn === undefined) return null;
  return error.failure === "host_key_changed" && jumps.length > 0 ? `${wayOn}${NAME_IT}` : wayOn;
}
