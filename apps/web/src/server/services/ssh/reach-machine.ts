/** From what a person gave to what `packages/ssh` connects with: ways, credentials, and a verifier for every machine on the way. */
import { nameSchema } from "@nexus/shared/api/schemas";
import type { SshHost } from "@nexus/shared/api/ssh";
import type { Credentials } from "@nexus/ssh/auth/credentials";
import type { SshTarget } from "@nexus/ssh/connect-target";
import type { HostKeyStore } from "@nexus/ssh/host-keys/host-key-store";
import { createHostKeyVerifier, type HostKeyQuestion } from "@nexus/ssh/host-keys/host-key-verifier";
import { hostKeyName, type KnownHosts, NO_KNOWN_HOSTS } from "@nexus/ssh/host-keys/known-hosts";
import type { PublicKey } from "@nexus/ssh/host-keys/public-key";
import type { Transport } from "@nexus/ssh/transports/transport";
import type { Principal } from "../ports.ts";
import type { SshContext } from "./ssh-context.ts";
import { noteRefusedKey, teamHostKeys } from "./team-host-keys.ts";

type Parts = Pick<SshContext, "db" | "clock">;
type Actor = Pick<Principal, "teamId" | "userId" | "userName">;

export type Reach = {
  host: Pick<SshHost, "host" | "port" | "user" | "jumps" | "transports" | "legacy" | "hostKeyAlias">;
  credentials: Credentials;
  cloudflareToken?: { id: string; secret: string } | undefined;
  knownHosts?: KnownHosts;
  /** Asked about the key of a machine that nobody knows. Without it such a machine is refused. */
  confirm?: ((question: HostKeyQuestion) => Promise<boolean>) | undefined;
  /** Who confirmed the key of that machine, where it was not who does the work. */
  confirmedBy?: ((name: string, key: PublicKey) => Actor | null) | undefined;
};

export function sshTargetOf(ctx: Parts, actor: Actor, reach: Reach): SshTarget {
  const { host, credentials } = reach;
  const store: HostKeyStore = {
    read: teamHostKeys(ctx, actor).read,
    write(change) {
      const [key] = change.after.pinned;
      const confirmer =
        change.kind === "confirm" && key !== undefined ? reach.confirmedBy?.(change.name, key) : null;
      return teamHostKeys(ctx, confirmer ?? actor).write(change);
    },
  };
  const verifierOf = (name: string) =>
    createHostKeyVerifier({
      name,
      store,
      knownHosts: reach.knownHosts ?? NO_KNOWN_HOSTS,
      by: `${actor.userName} (${actor.userId})`,
      onChanged: (key) => noteRefusedKey(ctx, actor, { name, key }),
      ...(reach.confirm === undefined ? {} : { confirm: reach.confirm }),
    });
  return {
    id: `${actor.teamId} ${wayOf(host)} ${hostKeyNameOf(host)}`,
    user: host.user,
    credentials,
    verifier: verifierOf(hostKeyNameOf(host)),
    transports: transportsOf(reach, verifierOf),
    legacy: host.legacy,
    ...(presentsCertificate(credentials) ? { engine: "openssh" } : {}),
  };
}

/** ssh2 presents none: with one the system's ssh logs in, unless there is a password, which that one cannot give. */
export function presentsCertificate(credentials: Credentials): boolean {
  return hasCertificate(credentials) && credentials.password === undefined;
}

export function hasCertificate({ keys = [] }: Credentials): boolean {
  return keys.some(({ certificate }) => certificate !== undefined);
}

export function addressOf({ user, host, port }: Pick<SshHost, "user" | "host" | "port">): string {
  const name = host.includes(":") ? `[${host}]` : host;
  return `${user}@${name}${port === 22 ? "" : `:${port}`}`;
}

/** By which machines to which: one private address behind two jump hosts is two machines. */
export function wayOf(host: Pick<SshHost, "user" | "host" | "port" | "jumps">): string {
  return [...host.jumps, host].map(addressOf).join(" → ");
}

/** The machines on the way, each as it is reached itself: by those before it, and never with a password. */
export function hopsOf(reach: Reach): Reach[] {
  const { jumps } = reach.host;
  return jumps.map((hop, at) => ({
    ...reach,
    host: { ...hop, jumps: jumps.slice(0, at), transports: [{ kind: "direct" }], legacy: false },
    credentials: keysAlone(reach.credentials),
  }));
}

/** A password is the machine's own: those on the way would only learn it. */
function keysAlone({ password: _password, answer: _answer, ...keys }: Credentials): Credentials {
  return keys;
}

/** Whether a target is reached as this machine is: by the same way, under the same host key. */
export function isWayOf(host: Parameters<typeof wayOf>[0] & Parameters<typeof hostKeyNameOf>[0]) {
  return (one: Parameters<typeof wayOf>[0] & { hostKeyName: string }): boolean =>
    wayOf(one) === wayOf(host) && one.hostKeyName === hostKeyNameOf(host);
}

/** What the person calls the machine, where a target can be called so and it is no address; null otherwise. */
export function aliasOf({ alias, host }: Pick<SshHost, "alias" | "host">): string | null {
  return alias !== undefined && alias !== host && nameSchema.safeParse(alias).success ? alias : null;
}

/** A person who gives a machine another name wants another target. */
export function isMeant({ name: wanted }: Pick<SshHost, "name">) {
  return ({ name }: { name: string }): boolean => wanted === undefined || wanted === name;
}

export function hostKeyNameOf({
  host,
  port,
  hostKeyAlias,
}: Pick<SshHost, "host" | "port" | "hostKeyAlias">): string {
  return hostKeyAlias?.toLowerCase() ?? hostKeyName(host, port);
}

type VerifierOf = (name: string) => ReturnType<typeof createHostKeyVerifier>;

function transportsOf(
  { host: given, credentials, cloudflareToken }: Reach,
  verifierOf: VerifierOf,
): Transport[] {
  const { host, port, jumps, transports } = given;
  if (jumps.length > 0) {
    const hops = jumps.map((hop) => ({
      ...hop,
      credentials: keysAlone(credentials),
      verifier: verifierOf(hostKeyName(hop.host, hop.port)),
    }));
    return [{ kind: "jump", hops, host, port }];
  }
  return transports.map(({ kind, host: own = host }): Transport => {
    if (kind !== "cloudflare") return { kind, host: own, port };
    return {
      kind,
      hostname: own,
      ...(cloudflareToken === undefined ? {} : { serviceToken: cloudflareToken }),
    };
  });
}
