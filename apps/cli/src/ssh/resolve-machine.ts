/**
 * From a name that a person types to what the control plane dials: by the person's own ssh configuration, as `ssh` itself reads it.
 * A ProxyCommand runs on this machine only: one that Nexus knows is a transport of the control plane, another is refused with what to
 * do instead.
 */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { homedir, hostname, userInfo } from "node:os";
import { basename } from "node:path";
import { promisify } from "node:util";
import type { SshHostInput, SshTransport } from "@nexus/shared/api/ssh";
import { NexusError } from "@nexus/shared/errors";
import { parseTransports } from "@nexus/shared/ssh-transports";
import { askSsh } from "@nexus/ssh/config/ask-ssh";
import { expandPath, expandTokens, type TokenContext } from "@nexus/ssh/config/expand-tokens";
import { type HostSettings, parseJumps } from "@nexus/ssh/config/host-settings";
import { routeOfHost } from "@nexus/ssh/config/route-of-host";
import { SshError } from "@nexus/ssh/ssh-error";

export type NamedMachine = {
  alias: string;
  port?: number | undefined;
  user?: string | undefined;
  /** ProxyJump's words; instead of the configuration's. */
  jump?: string | undefined;
  name?: string | undefined;
  /** In the file that lists it, where that is not how it is reached. */
  calledAs?: string | undefined;
  identityFile?: string | undefined;
  /** `--transport`; instead of what the configuration says. */
  transport?: string | undefined;
};

export type ResolvedMachine = {
  host: Omit<SshHostInput, "credentials">;
  /** Paths of keys that may let in, which need not exist. */
  identityFiles: string[];
  knownHostsLines: string[];
};

const run = promisify(execFile);

export async function resolveMachine(
  machine: NamedMachine,
  { useConfig }: { useConfig: boolean },
): Promise<ResolvedMachine> {
  const { alias, user, port, calledAs = alias } = machine;
  const resolve = async (query: { alias: string; user?: string | undefined; port?: number | undefined }) =>
    (useConfig ? await askIfThere(query) : null) ?? plainSettings(query);
  const route = await routeOfHost({ alias, user, port }, { resolve, isOperators: true });
  const hops =
    machine.jump === undefined
      ? route.hops
      : await Promise.all(parseJumps(machine.jump).map((hop) => resolve({ ...hop, alias: hop.host })));
  const { settings } = route;
  const transports =
    machine.transport !== undefined
      ? parseTransports(machine.transport, { host: settings.hostName, name: machine.name ?? calledAs })
      : hops.length === 0 && route.proxyCommand !== undefined
        ? [transportOf(route.proxyCommand, settings)]
        : undefined;
  return {
    host: {
      host: settings.hostName,
      port: settings.port,
      user: settings.user,
      jumps: hops.map((hop) => ({ host: hop.hostName, port: hop.port, user: hop.user })),
      alias: calledAs,
      ...(transports === undefined ? {} : { transports }),
      ...(machine.name === undefined ? {} : { name: machine.name }),
      ...(settings.hostKeyAlias === undefined ? {} : { hostKeyAlias: settings.hostKeyAlias }),
    },
    identityFiles:
      machine.identityFile === undefined
        ? identityFilesOf(settings)
        : [expandPath(machine.identityFile, contextOf(settings))],
    knownHostsLines: (await Promise.all([settings, ...hops].map(knownLines))).flat(),
  };
}

/** Of a ProxyCommand that does what the control plane does itself. */
function transportOf(command: string, settings: HostSettings): SshTransport {
  const [program = "", ...words] = expandTokens(command, contextOf(settings)).trim().split(/\s+/);
  const name = basename(program);
  const [first, second] = words;
  if (name === "tailscale" && first === "nc" && second !== undefined)
    return { kind: "tailscale", host: second };
  const hostname = words[words.indexOf("--hostname") + 1];
  if (name === "cloudflared" && first === "access" && words.includes("--hostname") && hostname !== undefined)
    return { kind: "cloudflare", host: hostname };
  throw new NexusError("bad_request", {
    detail: `${settings.alias} is reached by a ProxyCommand of this machine (${program}), which the control plane cannot run. Name a jump host: --jump <host>; or the ways that the control plane has itself: --transport <list>`,
  });
}

/** Aliases of `Host` lines that a pattern means; patterns among them are no machines. */
export function aliasesOf(configText: string, pattern: string): string[] {
  const wanted = new RegExp(`^${pattern.split("*").map(literal).join(".*")}$`.replaceAll("\\?", "."));
  const aliases = configText
    .split("\n")
    .flatMap((line) => /^\s*host[\s=]+(.*)$/i.exec(line)?.[1]?.trim().split(/\s+/) ?? [])
    .map((alias) => alias.replaceAll('"', ""));
  return [...new Set(aliases)].filter((alias) => !/[*?!]/.test(alias) && wanted.test(alias));
}

const literal = (text: string) => text.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&");

async function askIfThere(query: { alias: string; user?: string | undefined; port?: number | undefined }) {
  try {
    return await askSsh(query);
  } catch (error) {
    // A machine without ssh has no configuration for it either.
    if (error instanceof SshError && error.failure === "unsupported") return null;
    throw error;
  }
}

function plainSettings(query: {
  alias: string;
  user?: string | undefined;
  port?: number | undefined;
}): HostSettings {
  return {
    alias: query.alias,
    hostName: query.alias,
    port: query.port ?? 22,
    user: query.user ?? userInfo().username,
    identityFiles: ["id_ed25519", "id_ecdsa", "id_rsa"].map((name) => `~/.ssh/${name}`),
    identitiesOnly: false,
    identityAgent: undefined,
    certificateFiles: [],
    proxyJump: [],
    proxyCommand: undefined,
    hostKeyAlias: undefined,
    userKnownHostsFiles: ["~/.ssh/known_hosts"],
    connectTimeoutS: undefined,
  };
}

/** Security keys and certificates need the person's own ssh; what is left out here is not there for the control plane. */
function identityFilesOf(settings: HostSettings): string[] {
  return settings.identityFiles
    .filter((file) => !/_sk$/.test(file))
    .map((file) => expandPath(file, contextOf(settings)));
}

function contextOf(settings: HostSettings): TokenContext {
  return { settings, localUser: userInfo().username, localHome: homedir(), localHost: hostname() };
}

/** By ssh-keygen, which knows hashed names too. Only the lines of this machine leave. */
async function knownLines(settings: HostSettings): Promise<string[]> {
  const { hostName, port, hostKeyAlias, userKnownHostsFiles } = settings;
  const name = hostKeyAlias ?? (port === 22 ? hostName : `[${hostName}]:${port}`);
  const files = userKnownHostsFiles
    .map((file) => expandPath(file, contextOf(settings)))
    .filter((file) => existsSync(file));
  const found = await Promise.all(
    files.map((file) =>
      run("ssh-keygen", ["-F", name, "-f", file]).then(
        ({ stdout }) => stdout,
        () => "",
      ),
    ),
  );
  return found.flatMap((text) => text.split("\n")).filter((line) => line !== "" && !line.startsWith("#"));
}
