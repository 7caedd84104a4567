/**
 * The embedded Postgres of one data home: a real server on a Unix socket, run and owned by this process.
 * Owns: the home's owner lock, the copy of the binaries, the data folder and the server process, in that order.
 * Invariants: one owner a home; fsync on; no TCP; only this user gets in. Refuses: a second owner, foreign data.
 */
import {
  chmodSync,
  closeSync,
  constants,
  lstatSync,
  mkdirSync,
  openSync,
  realpathSync,
  rmSync,
  writeSync,
} from "node:fs";
import { userInfo } from "node:os";
import { join } from "node:path";
import { NexusError } from "@nexus/shared/errors";
import { DATABASE_NAME, DATABASE_USER, ensureData, makeFolderFor } from "./init-data.ts";
import { type EmbeddedLayout, embeddedLayout } from "./layout.ts";
import { takeOwnerLock } from "./owner-lock.ts";
import { runPostmaster } from "./postmaster.ts";
import { ensureRuntime, ROOT_RUNTIME_DIR } from "./runtime.ts";
import { chooseServerUser, type ServerUser } from "./server-user.ts";

export type EmbeddedPostgres = {
  socketDir: string;
  user: string;
  database: string;
  /** The process that holds this home: this one. */
  ownerPid: number;
  serverPid: number;
  /** Settles when the server has ended, by `stop` or by itself. */
  ended: Promise<void>;
  stop(): Promise<void>;
};

export type EmbeddedPostgresOptions = {
  /** NEXUS_HOME. Made when missing. */
  home: string;
  /** One line per step that takes a person's time, and per thing found amiss. */
  log?: (text: string) => void;
  /** Where a short socket folder may be made when the home's path is too long: XDG_RUNTIME_DIR. */
  shortRoot?: string | undefined;
  /** Where the binaries are copied to. */
  runtimeRoot?: string;
  isTied?: boolean;
  /** False only for data that a test throws away. */
  isDurable?: boolean;
};

export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const { log = () => undefined, isTied = true, isDurable = true } = options;
  mkdirSync(options.home, { recursive: true, mode: 0o700 });
  const layout = embeddedLayout(realpathSync(options.home), options.shortRoot ?? "/tmp");
  mkdirSync(layout.rootDir, { recursive: true });
  const user = chooseServerUser(layout.dataDir);
  chmodSync(layout.rootDir, user.isLent ? 0o711 : 0o700);
  const lock = await takeOwnerLock(layout.lockPath, "a Nexus control plane");
  try {
    const runtimeRoot = options.runtimeRoot ?? (user.isLent ? ROOT_RUNTIME_DIR : layout.runtimeRoot);
    const runtime = await ensureRuntime(runtimeRoot, user, log);
    await ensureData({ layout, runtime, user, isDurable, log });
    await makeSocketFolder(layout, user);
    admitOnlyMe(layout);
    const server = await runPostmaster({ layout, runtime, user, isDurable, isTied, log });
    return {
      socketDir: layout.socket.dir,
      user: DATABASE_USER,
      database: DATABASE_NAME,
      ownerPid: lock.holder.pid,
      serverPid: server.pid,
      ended: server.ended,
      async stop() {
        await server.stop();
        if (layout.socket.isShort) rmSync(layout.socket.dir, { recursive: true, force: true });
        lock.release();
      },
    };
  } catch (cause) {
    lock.release();
    throw cause;
  }
}

/** A short folder lies where others may write: one that is not ours alone is refused, it could be a trap. */
async function makeSocketFolder(layout: EmbeddedLayout, user: ServerUser): Promise<void> {
  const { dir } = layout.socket;
  const found = lstatSync(dir, { throwIfNoEntry: false });
  if (!found) return makeFolderFor(user, dir);
  if (found.isDirectory() && found.uid === user.uid && (found.mode & 0o077) === 0) return;
  throw new NexusError("forbidden", {
    detail: `${dir} must be a folder that only user ${user.name} can enter. Remove it and start again.`,
  });
}

/** The kernel tells Postgres who connects. Not even other processes of the lent user get in. */
function admitOnlyMe({ dataDir }: EmbeddedLayout): void {
  writeInside(dataDir, "pg_hba.conf", "local all all peer map=nexus\n");
  writeInside(dataDir, "pg_ident.conf", `nexus "${userInfo().username}" ${DATABASE_USER}\n`);
}

/** The folder is the lent user's, and root writes here: a link that leads elsewhere is refused by the kernel. */
function writeInside(dataDir: string, name: string, text: string): void {
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | constants.O_NOFOLLOW;
  const file = openSync(join(dataDir, name), flags, 0o600);
  try {
    writeSync(file, text);
  } finally {
    closeSync(file);
  }
}
