import { checkHost, checkPort, checkUser } from "../config/host-settings.ts";
import { SshError } from "../ssh-error.ts";

/** One machine of the way, as a block of a configuration that we write for the system's ssh. */
export type ConfigHost = {
  /** A name of ours: what people typed never becomes an argument. */
  alias: string;
  host: string;
  port: number;
  user: string;
  /** The name under which its keys stand in its known_hosts file. */
  hostKeyName: string;
  knownHostsFile: string;
  identityAgent: string | undefined;
  identityFiles: readonly string[];
  certificateFiles: readonly string[];
  gssapi: boolean;
  proxyJump: string | undefined;
  proxyCommand: string | undefined;
};

const KEEPALIVE_S = 15;
const KEEPALIVES_MISSED_MAX = 3;

/**
 * Nothing is left to the person's or the system's files: the host key is checked against our file alone, nobody is
 * asked anything, nothing is forwarded, and ssh learns no keys by itself, since that is the verifier's business.
 */
export function sshConfigText(hosts: readonly ConfigHost[], connectTimeoutS: number): string {
  return hosts.map((host) => block(host, connectTimeoutS)).join("\n");
}

function block(host: ConfigHost, connectTimeoutS: number): string {
  const lines: [string, string][] = [
    ["HostName", checkHost(host.host)],
    ["Port", String(checkPort(host.port))],
    ["User", checkUser(host.user)],
    ["HostKeyAlias", quoteValue(host.hostKeyName)],
    ["UserKnownHostsFile", quoteValue(host.knownHostsFile)],
    ["GlobalKnownHostsFile", "/dev/null"],
    ["StrictHostKeyChecking", "yes"],
    ["UpdateHostKeys", "no"],
    ["CheckHostIP", "no"],
    ["VerifyHostKeyDNS", "no"],
    ["BatchMode", "yes"],
    ["IdentityAgent", host.identityAgent === undefined ? "none" : quoteValue(host.identityAgent)],
    ...(host.identityFiles.length === 0 ? ["none"] : host.identityFiles.map(quoteValue)).map(
      (file): [string, string] => ["IdentityFile", file],
    ),
    ...host.certificateFiles.map((file): [string, string] => ["CertificateFile", quoteValue(file)]),
    ["GSSAPIAuthentication", host.gssapi ? "yes" : "no"],
    ["ForwardAgent", "no"],
    ["ForwardX11", "no"],
    ["EscapeChar", "none"],
    ["ConnectTimeout", String(connectTimeoutS)],
    ["ServerAliveInterval", String(KEEPALIVE_S)],
    ["ServerAliveCountMax", String(KEEPALIVES_MISSED_MAX)],
    ["LogLevel", "ERROR"],
  ];
  if (host.proxyJump !== undefined) lines.push(["ProxyJump", host.proxyJump]);
  if (host.proxyCommand !== undefined) lines.push(["ProxyCommand", oneLine(host.proxyCommand)]);
  return [`Host ${host.alias}`, ...lines.map(([name, value]) => `  ${name} ${value}`), ""].join("\n");
}

/** Percent signs are doubled, since paths take tokens. */
function quoteValue(value: string): string {
  if (/["\r\n\\]/.test(value))
    throw new SshError("config_invalid", `${JSON.stringify(value)} cannot stand in a configuration`);
  return `"${value.replaceAll("%", "%%")}"`;
}

function oneLine(command: string): string {
  if (/[\r\n]/.test(command)) throw new SshError("config_invalid", "A proxy command is one line.");
  return command;
}
