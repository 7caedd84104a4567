/**
 * Which server to speak to. `NEXUS_URL` and `NEXUS_API_KEY` win over the file, for scripts; the file is `cli.json` in NEXUS_HOME, the
 * same that `npm run up` writes. Its shape is checked here by hand: the schema library would double the start-up time.
 */
import { chmod, mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { CliConfig, CliServer } from "@nexus/shared/cli-config";
import { NexusError } from "@nexus/shared/errors";
import type { Cli } from "../cli.ts";

const SERVER = "default";

export type Connection = {
  url: string;
  apiKey: string;
  target: string | undefined;
  /** The server's own certificate in PEM, when no authority vouches for it. */
  certificate: string | undefined;
};

/** Perhaps without a key for it. */
export type KnownServer = Omit<Connection, "apiKey"> & { apiKey: string | null };

export async function readConnection(cli: Cli): Promise<Connection> {
  const found = await readServer(cli);
  if (found === null) {
    throw new NexusError("unauthenticated", {
      detail:
        "This machine knows no Nexus server. Start one here with `npm run up`, or sign in: nexus login https://nexus.example.com",
    });
  }
  if (found.apiKey === null) {
    throw new NexusError("unauthenticated", {
      detail: `There is no key for ${found.url}. Sign in: nexus login ${found.url}`,
    });
  }
  return { ...found, apiKey: found.apiKey };
}

/** @returns null when this machine knows none. */
export async function readServer(cli: Cli): Promise<KnownServer | null> {
  const { NEXUS_URL: url, NEXUS_API_KEY: apiKey } = cli.env;
  const server = url && apiKey ? undefined : (await readConfig(cli)).servers[SERVER];
  const found = { url: url || server?.url, apiKey: apiKey || server?.apiKey, target: server?.target };
  if (!found.url) return null;
  const address = origin(found.url, url ? "NEXUS_URL: " : `${configPath(cli)}: `);
  // The key of one server is never sent to another.
  const isOthers = url && server && !apiKey && address !== origin(server.url);
  const key = isOthers ? undefined : found.apiKey;
  return {
    url: address,
    apiKey: key ? checkedKey(key, apiKey ? "NEXUS_API_KEY" : `The key in ${configPath(cli)}`) : null,
    target: found.target,
    certificate: server?.certificate,
  };
}

/** A key that no request could carry is told apart from a server that is away. The key itself is not repeated. */
export function checkedKey(key: string, what: string): string {
  if (/^[\x21-\x7e]+$/.test(key)) return key;
  throw new NexusError("unauthenticated", {
    detail: `${what} is no API key: it holds spaces or characters that a key never has. A key looks like nxk_… and is one word. Make one in the dashboard under Settings.`,
  });
}

export async function saveServer(
  cli: Cli,
  change: (present: CliServer | undefined) => CliServer,
): Promise<void> {
  const config = await readConfig(cli);
  const servers = { ...config.servers, [SERVER]: change(config.servers[SERVER]) };
  const path = configPath(cli);
  const draft = `${path}.${process.pid}.draft`;
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  await writeFile(draft, `${JSON.stringify({ ...config, servers }, null, 2)}\n`, { mode: 0o600 });
  await chmod(draft, 0o600);
  await rename(draft, path);
}

export function configPath(cli: Cli): string {
  return join(cli.home, "cli.json");
}

/** Scheme, host and port of what a person typed. */
export function origin(text: string, what = ""): string {
  const url = URL.parse(text.includes("://") ? text : `https://${text}`);
  const isWeb = url !== null && (url.protocol === "https:" || url.protocol === "http:");
  // A word alone is a typing error more often than the name of a machine nearby.
  const isNamed = text.includes("://") || /[.:[]|^localhost$/.test(text);
  if (isWeb && isNamed) return url.origin;
  throw new NexusError("bad_request", {
    detail: `${what}"${text}" is no address of a server. Write it in full, such as https://nexus.example.com`,
  });
}

async function readConfig(cli: Cli): Promise<CliConfig> {
  const path = configPath(cli);
  const text = await readFile(path, "utf8").catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === "ENOENT") return '{"servers":{}}';
    throw new NexusError("unavailable", { detail: `${path} cannot be read: ${cause.message}`, cause });
  });
  try {
    const config: unknown = JSON.parse(text);
    if (isConfig(config)) return config;
  } catch {
    // Told below: what is wrong with it does not matter to who reads it.
  }
  throw new NexusError("unavailable", {
    detail: `${path} is damaged. Remove it and sign in again: nexus login`,
  });
}

function isConfig(value: unknown): value is CliConfig {
  if (typeof value !== "object" || value === null || !("servers" in value)) return false;
  const { servers } = value;
  return typeof servers === "object" && servers !== null && Object.values(servers).every(isServer);
}

function isServer(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  const { url, apiKey, target, certificate } = value as Record<string, unknown>;
  return (
    typeof url === "string" &&
    typeof apiKey === "string" &&
    [target, certificate].every((text) => text === undefined || typeof text === "string")
  );
}
