import { isIPv6 } from "node:net";
import { SSH_HOST, SSH_HOST_CHARS_MAX, SSH_USER, SSH_USER_CHARS_MAX } from "@nexus/shared/ssh-names";
import { SshError } from "../ssh-error.ts";

/** What a configuration says about one host, as far as we act on it. Paths and commands still hold their tokens. */
export type HostSettings = {
  /** What the person typed. */
  alias: string;
  hostName: string;
  port: number;
  user: string;
  identityFiles: string[];
  identitiesOnly: boolean;
  identityAgent: string | undefined;
  certificateFiles: string[];
  proxyJump: JumpHost[];
  proxyCommand: string | undefined;
  hostKeyAlias: string | undefined;
  userKnownHostsFiles: string[];
  connectTimeoutS: number | undefined;
};

export type JumpHost = { host: string; port: number | undefined; user: string | undefined };

const PORT_MAX = 65_535;

/** A name that could be an option, or part of a command line, is refused before anything sees it. */
export function checkHost(host: string): string {
  if (SSH_HOST.test(host) && host.length <= SSH_HOST_CHARS_MAX) return host;
  throw new SshError("config_invalid", `${JSON.stringify(host)} cannot be the name or address of a host`);
}

export function checkUser(user: string): string {
  if (SSH_USER.test(user) && user.length <= SSH_USER_CHARS_MAX) return user;
  throw new SshError("config_invalid", `${JSON.stringify(user)} cannot be the name of a user`);
}

export function checkPort(port: number): number {
  if (Number.isInteger(port) && port > 0 && port <= PORT_MAX) return port;
  throw new SshError("config_invalid", `${port} is not a port`);
}

/** `[user@]host[:port]`, with IPv6 addresses in brackets, or the same as `ssh://…`. */
export function parseDestination(text: string): JumpHost {
  const bare = text.startsWith("ssh://") ? text.slice("ssh://".length).replace(/\/$/, "") : text;
  const at = bare.lastIndexOf("@");
  const address = bare.slice(at + 1);
  const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/.exec(address) ?? [];
  const host = bracketed ?? plain ?? (isIPv6(address) ? address : undefined);
  if (host === undefined)
    throw new SshError("config_invalid", `${JSON.stringify(text)} is not [user@]host[:port]`);
  return {
    host: checkHost(host),
    port: port === undefined ? undefined : checkPort(Number(port)),
    user: at < 0 ? undefined : checkUser(bare.slice(0, at)),
  };
}

/** `none` switches jumping off. The first hop comes first. */
export function parseJumps(text: string): JumpHost[] {
  return text.toLowerCase() === "none" ? [] : text.split(",").map((hop) => parseDestination(hop.trim()));
}
