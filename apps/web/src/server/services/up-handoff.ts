/**
 * What a server started by `npm run up` leaves for the person at this machine: `run/up.json` with a one-time link, and `cli.json`
 * with a key, both 0600 under the home, whose owner owns the server anyway. Nothing of them is printed or logged here.
 * Invariants: `up.json` comes last and by rename, so whoever sees it sees all of it; a key that still works is kept, so that a
 * restart leaves no row behind; entries of other servers in `cli.json` are kept.
 */
import { chmod, mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { CLI_CONFIG_FILE, type CliConfig, cliConfigSchema, DEFAULT_SERVER } from "@nexus/shared/cli-config";
import type { UpFile } from "@nexus/shared/up-file";
import { findKeyCaller } from "../db/queries/find-key-caller.ts";
import type { AccessContext } from "./access/access-context.ts";
import { createApiKey, listApiKeys, revokeApiKey } from "./access/api-keys.ts";
import { bootstrapOwner } from "./access/bootstrap-owner.ts";
import { secretHash } from "./access/secret-hash.ts";
import { createSignInLink } from "./access/sign-in-link.ts";
import type { Principal } from "./ports.ts";

const KEY_NAME = "nexus up";

export type UpHandoffOptions = {
  /** NEXUS_HOME. */
  home: string;
  /** Our own certificate in PEM, when we serve https with one. */
  certificate: string | undefined;
  /** Who started it, for the first owner's name. */
  userName: string;
  /** A token for this machine's own agent, or nothing when it is enrolled already. */
  createEnrollToken: (owner: Principal) => Promise<string | undefined>;
};

export async function writeUpHandoff(ctx: AccessContext, options: UpHandoffOptions): Promise<void> {
  const { home, certificate } = options;
  const owner = await bootstrapOwner(ctx, { name: options.userName });
  const cliPath = join(home, CLI_CONFIG_FILE);
  const config = await readCliConfig(cliPath);
  const present = config.servers[DEFAULT_SERVER];
  const apiKey =
    present && (await isKeyOf(ctx, owner, present.apiKey)) ? present.apiKey : await renewKey(ctx, owner);
  const kept = present?.url === ctx.url ? present : {};
  const servers = { ...config.servers, [DEFAULT_SERVER]: { ...kept, url: ctx.url, apiKey, certificate } };
  await writePrivate(cliPath, { ...config, servers });

  const enrollToken = await options.createEnrollToken(owner);
  const signInLink = await createSignInLink(ctx, { userId: owner.userId });
  await mkdir(join(home, "run"), { recursive: true, mode: 0o700 });
  const up: UpFile = { url: ctx.url, signInLink, enrollToken, certificate };
  await writePrivate(join(home, "run", "up.json"), up);
}

async function isKeyOf(ctx: AccessContext, owner: Principal, secret: string): Promise<boolean> {
  const caller = await findKeyCaller(ctx.db, secretHash(secret));
  return caller?.userId === owner.userId && caller.teamId === owner.teamId;
}

/** Keys of earlier homes that were thrown away go, so that they do not pile up. */
async function renewKey(ctx: AccessContext, owner: Principal): Promise<string> {
  const old = (await listApiKeys(ctx, owner)).filter(({ name }) => name === KEY_NAME);
  for (const { id } of old) await revokeApiKey(ctx, owner, id);
  return (await createApiKey(ctx, owner, { name: KEY_NAME })).secret;
}

async function readCliConfig(path: string): Promise<CliConfig> {
  try {
    return cliConfigSchema.parse(JSON.parse(await readFile(path, "utf8")));
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") return { servers: {} };
    // Somebody's file is never thrown away, even one that cannot be read.
    await rename(path, `${path}.unreadable`);
    return { servers: {} };
  }
}

async function writePrivate(path: string, content: object): Promise<void> {
  const draft = `${path}.${process.pid}.draft`;
  await writeFile(draft, `${JSON.stringify(content, null, 2)}\n`, { mode: 0o600 });
  await chmod(draft, 0o600);
  await rename(draft, path);
}
