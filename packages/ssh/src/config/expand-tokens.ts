import { SshError } from "../ssh-error.ts";
import { checkHost, checkUser, type HostSettings } from "./host-settings.ts";

export type TokenContext = {
  settings: HostSettings;
  localUser: string;
  localHome: string;
  localHost: string;
};

/**
 * The tokens of ssh_config(5) in paths and commands. Host and user are checked first: `%h` and `%r` land in a shell's
 * command line when they are part of a ProxyCommand (CVE-2023-51385).
 */
export function expandTokens(text: string, context: TokenContext): string {
  const { settings, localUser, localHome, localHost } = context;
  const values: Record<string, () => string> = {
    "%": () => "%",
    h: () => checkHost(settings.hostName),
    n: () => checkHost(settings.alias),
    p: () => String(settings.port),
    r: () => checkUser(settings.user),
    u: () => checkUser(localUser),
    k: () => checkHost(settings.hostKeyAlias ?? settings.alias),
    d: () => localHome,
    l: () => checkHost(localHost),
    L: () => checkHost(localHost.split(".")[0] ?? localHost),
  };
  return text.replaceAll(/%(.?)/gs, (token, letter: string) => {
    const value = values[letter];
    if (value === undefined) throw new SshError("config_invalid", `The token ${token} is not known here`);
    return value();
  });
}

/** Also `~/` and `~` at the start, as OpenSSH takes it. */
export function expandPath(path: string, context: TokenContext): string {
  const home = path === "~" || path.startsWith("~/") ? `${context.localHome}${path.slice(1)}` : path;
  return expandTokens(home, context);
}
