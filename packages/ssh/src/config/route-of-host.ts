import { SshError } from "../ssh-error.ts";
import type { HostSettings, JumpHost } from "./host-settings.ts";

/** How one host is reached: through these hops, the first one first, or by a command, or straight. */
export type HostRoute = {
  settings: HostSettings;
  hops: HostSettings[];
  /** With its tokens, for `expandTokens`. */
  proxyCommand: string | undefined;
};

export type RouteQuery = { alias: string; user?: string | undefined; port?: number | undefined };

export type RouteOptions = {
  /** `askSsh` for the operator's own configuration, `resolveHost` for text from anybody else. */
  resolve: (query: RouteQuery) => Promise<HostSettings> | HostSettings;
  /** Whether the configuration is the operator's own: a ProxyCommand runs on this machine. */
  isOperators: boolean;
};

const HOPS_MAX = 8;

/**
 * As OpenSSH goes: every hop is a host of the configuration itself, with its own name, port, user and keys. The first
 * hop's own ProxyJump comes before it; of the hops after it only the list counts.
 */
export async function routeOfHost(query: RouteQuery, options: RouteOptions): Promise<HostRoute> {
  const settings = await options.resolve(query);
  const hops = await hopsBefore(settings.proxyJump, options, [query.alias]);
  const proxyCommand = hops.length > 0 ? undefined : settings.proxyCommand;
  for (const host of [settings, ...hops]) refuseForeignCommand(host, options);
  const commanded = hops.find((hop) => hop.proxyCommand !== undefined);
  if (commanded !== undefined) {
    throw new SshError(
      "unsupported",
      `The jump host ${commanded.alias} needs a ProxyCommand: use the engine openssh`,
    );
  }
  return { settings, hops, proxyCommand };
}

async function hopsBefore(
  jumps: readonly JumpHost[],
  options: RouteOptions,
  seen: readonly string[],
): Promise<HostSettings[]> {
  const [first, ...rest] = jumps;
  if (first === undefined) return [];
  if (seen.includes(first.host) || seen.length > HOPS_MAX) {
    throw new SshError(
      "config_invalid",
      `The jump hosts lead in a circle: ${[...seen, first.host].join(" → ")}`,
    );
  }
  const settings = await options.resolve(queryOf(first));
  const before = await hopsBefore(settings.proxyJump, options, [...seen, first.host]);
  const after: HostSettings[] = [];
  for (const hop of rest) after.push(await options.resolve(queryOf(hop)));
  return [...before, settings, ...after];
}

function queryOf({ host, port, user }: JumpHost): RouteQuery {
  return { alias: host, port, user };
}

function refuseForeignCommand({ alias, proxyCommand }: HostSettings, { isOperators }: RouteOptions): void {
  if (proxyCommand === undefined || isOperators) return;
  throw new SshError(
    "unsupported",
    `${alias} has a ProxyCommand, which would run on this machine: a configuration that was handed in may not do that`,
  );
}
