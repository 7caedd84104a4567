/**
 * Owns: the birth of the data folder. States: none → half-made beside it (`init-…`) → complete, by one rename.
 * Invariant: `data` is complete whenever it exists. Only half-made folders are ever deleted, whatever `data` looks like.
 * Refuses: data of another major version, and a `data` folder that is not Postgres'.
 */
import { existsSync, readFileSync } from "node:fs";
import { chmod, chown, mkdir, open, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { NexusError } from "@nexus/shared/errors";
import type { EmbeddedLayout } from "./layout.ts";
import { runAs } from "./run-as.ts";
import type { Runtime } from "./runtime.ts";
import type { ServerUser } from "./server-user.ts";

export const DATABASE_USER = "nexus";
export const DATABASE_NAME = "nexus";

/**
 * Root's home is closed to the lent user, so Postgres is started inside its folder and told to look where it stands:
 * this link leads there without passing the folders above, and the data can stay in the home.
 */
const WHERE_IT_STANDS = "/proc/self/cwd";

export type InitOptions = {
  layout: EmbeddedLayout;
  runtime: Runtime;
  user: ServerUser;
  /** Off only for data that a test throws away. */
  isDurable: boolean;
  log: (text: string) => void;
};

export async function ensureData(options: InitOptions): Promise<void> {
  const { layout, runtime } = options;
  await removeHalfMade(layout);
  if (existsSync(layout.dataDir)) return refuseForeignData(layout.dataDir, runtime);
  options.log("creating the database");
  const half = join(layout.rootDir, `${layout.initPrefix}${process.pid}-${Date.now()}`);
  await makeFolderFor(options.user, half);
  await runInitdb(options, half);
  await createDatabase(options, half);
  await rename(half, layout.dataDir);
  if (options.isDurable) await syncFolder(layout.rootDir);
}

/** `PGDATA` as the server's user can reach it. */
export function dataArgument(user: ServerUser, dataDir: string): string {
  return user.isLent ? WHERE_IT_STANDS : dataDir;
}

export async function makeFolderFor(user: ServerUser, dir: string): Promise<void> {
  await mkdir(dir, { mode: 0o700 });
  await chmod(dir, 0o700);
  if (user.isLent) await chown(dir, user.uid, user.gid);
}

async function removeHalfMade(layout: EmbeddedLayout): Promise<void> {
  const names = (await readdir(layout.rootDir)).filter((name) => name.startsWith(layout.initPrefix));
  for (const name of names) {
    // An initdb that outlived its Node may still write there for a moment: the next start removes the rest.
    await rm(join(layout.rootDir, name), { recursive: true, force: true }).catch(() => undefined);
  }
}

function refuseForeignData(dataDir: string, runtime: Runtime): void {
  const found = readVersion(dataDir);
  if (found === String(runtime.major)) return;
  const what = found ? `was written by Postgres ${found}` : "is not a Postgres data folder";
  throw new NexusError("needs_update", {
    detail: `${dataDir} ${what}, and this release brings Postgres ${runtime.major}. Nothing was changed. Start the release that wrote it, or move the folder away to begin anew.`,
  });
}

function readVersion(dataDir: string): string | null {
  try {
    return readFileSync(join(dataDir, "PG_VERSION"), "utf8").trim();
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") return null;
    throw cause;
  }
}

async function runInitdb({ runtime, user, isDurable }: InitOptions, half: string): Promise<void> {
  const args = [
    join(runtime.binDir, "initdb"),
    "-D",
    dataArgument(user, half),
    "-U",
    DATABASE_USER,
    "-A",
    "peer",
    "-E",
    "UTF8",
  ];
  // Postgres' own collation: an index never depends on the machine's libc or ICU version.
  args.push("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--no-instructions");
  if (!isDurable) args.push("--no-sync");
  const result = await runAs(user, args, { cwd: half });
  if (result.code !== 0) throw new Error(`initdb failed: ${result.output.trim()}`);
}

/** In single-user mode, so that the folder has its database before it gets its name. */
async function createDatabase({ runtime, user, isDurable }: InitOptions, half: string): Promise<void> {
  const args = [
    join(runtime.binDir, "postgres"),
    "--single",
    "-j",
    "-D",
    dataArgument(user, half),
    "-c",
    "log_checkpoints=off",
  ];
  if (!isDurable) args.push("-c", "fsync=off");
  const input = `create database ${DATABASE_NAME};\n\n`;
  const result = await runAs(user, [...args, "postgres"], {
    cwd: half,
    input,
  });
  if (result.code !== 0 || /\b(ERROR|FATAL|PANIC):/.test(result.output))
    throw new Error(`the database could not be created: ${result.output.trim()}`);
}

async function syncFolder(dir: string): Promise<void> {
  const handle = await open(dir, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
