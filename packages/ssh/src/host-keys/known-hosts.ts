import { createHmac, timingSafeEqual } from "node:crypto";
import { matchesPatternList } from "../match-pattern.ts";
import { SshError } from "../ssh-error.ts";
import { formatPublicKey, type PublicKey, parsePublicKey } from "./public-key.ts";

/** The file format of sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT". Lines that cannot be read are named, never guessed at. */
export type KnownHosts = { entries: KnownHostsEntry[]; problems: KnownHostsProblem[] };
export type KnownHostsProblem = { line: number; message: string };
export type KnownHostsEntry = {
  marker: "plain" | "revoked" | "authority";
  /** The first field as it stands: patterns with commas, or one hashed name. */
  hosts: string;
  key: PublicKey;
  line: number;
};

/** What the file says of one host. */
export type KnownOfHost = { keys: PublicKey[]; revoked: PublicKey[]; authorities: PublicKey[] };

const SSH_PORT = 22;
const MARKERS = new Map<string, KnownHostsEntry["marker"]>([
  ["@revoked", "revoked"],
  ["@cert-authority", "authority"],
]);

export const NO_KNOWN_HOSTS: KnownHosts = { entries: [], problems: [] };

/** The name of a host in known_hosts: bare at port 22, `[host]:port` elsewhere. */
export function hostKeyName(host: string, port: number): string {
  const name = host.toLowerCase();
  return port === SSH_PORT ? name : `[${name}]:${port}`;
}

export function parseKnownHosts(text: string): KnownHosts {
  const entries: KnownHostsEntry[] = [];
  const problems: KnownHostsProblem[] = [];
  text.split(/\r?\n/).forEach((raw, index) => {
    const content = raw.trim();
    if (content === "" || content.startsWith("#")) return;
    const line = index + 1;
    const entry = parseLine(content, line);
    if (typeof entry === "string") problems.push({ line, message: entry });
    else entries.push(entry);
  });
  return { entries, problems };
}

/**
 * As OpenSSH looks a host up: by the name with its port; where nothing is known under it, a key that is known for the
 * bare name counts too. `authorities` and `revoked` hold for both spellings.
 */
export function knownOfHost(known: KnownHosts, name: string): KnownOfHost {
  const exact = collect(known, name);
  const bare = /^\[(.+)\]:\d+$/.exec(name)?.[1];
  if (bare === undefined) return exact;
  const plain = collect(known, bare);
  return {
    keys: exact.keys.length > 0 ? exact.keys : plain.keys,
    revoked: [...exact.revoked, ...plain.revoked],
    authorities: exact.authorities,
  };
}

/** A line for a file of ours. A name that could end the line or name other hosts is refused. */
export function formatKnownHostsLine(name: string, key: PublicKey, marker?: "revoked" | "authority"): string {
  if (!/^(\[[a-z0-9._:%-]+\]:\d{1,5}|[a-z0-9._:%-]+)$/i.test(name)) {
    throw new SshError(
      "config_invalid",
      `${JSON.stringify(name)} cannot be the name of one host in known_hosts`,
    );
  }
  const prefix = { revoked: "@revoked ", authority: "@cert-authority ", none: "" }[marker ?? "none"];
  return `${prefix}${name.toLowerCase()} ${formatPublicKey(key)}\n`;
}

function parseLine(content: string, line: number): KnownHostsEntry | string {
  const fields = content.split(/[ \t]+/);
  const first = fields[0] ?? "";
  const marker = first.startsWith("@") ? MARKERS.get(first) : "plain";
  if (marker === undefined) return `unknown marker ${first}`;
  const [hosts, ...rest] = marker === "plain" ? fields : fields.slice(1);
  const key = parsePublicKey(rest.join(" "));
  if (hosts === undefined || hosts === "" || key === undefined) return "not a host and a public key";
  return { marker, hosts, key, line };
}

/** Each key once; by name and not by comparison, as a file may hold many thousands. */
function collect(known: KnownHosts, name: string): KnownOfHost {
  const found = { plain: new Map<string, PublicKey>(), revoked: new Map(), authority: new Map() };
  for (const entry of known.entries) {
    const { type, base64 } = entry.key;
    if (namesHost(entry.hosts, name)) found[entry.marker].set(`${type} ${base64}`, entry.key);
  }
  for (const revoked of found.revoked.keys()) found.plain.delete(revoked);
  return {
    keys: [...found.plain.values()],
    revoked: [...found.revoked.values()],
    authorities: [...found.authority.values()],
  };
}

function namesHost(hosts: string, name: string): boolean {
  if (!hosts.startsWith("|1|")) return matchesPatternList(name, hosts.toLowerCase().split(","));
  const [salt = "", hash = ""] = hosts.slice(3).split("|");
  const wanted = Buffer.from(hash, "base64");
  const mac = createHmac("sha1", Buffer.from(salt, "base64")).update(name).digest();
  return wanted.length === mac.length && timingSafeEqual(wanted, mac);
}
