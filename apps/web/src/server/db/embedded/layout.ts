import { createHash } from "node:crypto";
import { join } from "node:path";

/** Where everything of the embedded Postgres lies below one data home. Pure: it names, it does not touch. */
export type EmbeddedLayout = {
  /** Holds all below. Root's, and passable for the server's user, when root runs it. */
  rootDir: string;
  /** The database itself. It exists only once it is complete: it is made beside and renamed. */
  dataDir: string;
  /** Prefix of half-made data folders. Only these are ever deleted. */
  initPrefix: string;
  lockPath: string;
  logPath: string;
  runtimeRoot: string;
  socket: SocketPlace;
};

/** `configured` is what Postgres is told, `dir` is what a client names. */
export type SocketPlace = { dir: string; configured: string; isShort: boolean };

/** `sun_path` less its final zero: 108 bytes on Linux, 104 on macOS. */
const SOCKET_PATH_BYTES_MAX = process.platform === "darwin" ? 103 : 107;
const SOCKET_FILE = ".s.PGSQL.5432";

export function embeddedLayout(home: string, shortRoot: string): EmbeddedLayout {
  const rootDir = join(home, "postgres");
  return {
    rootDir,
    dataDir: join(rootDir, "data"),
    initPrefix: "init-",
    lockPath: join(rootDir, "owner.lock"),
    logPath: join(rootDir, "postgres.log"),
    runtimeRoot: join(rootDir, "runtime"),
    socket: socketPlace(rootDir, home, shortRoot),
  };
}

/**
 * The socket lies beside the data and is configured relative to the data folder, which is Postgres' working directory:
 * so its user needs no way through the folders above. A home too deep for a socket address gets a short folder.
 */
function socketPlace(rootDir: string, home: string, shortRoot: string): SocketPlace {
  const dir = join(rootDir, "run");
  if (fitsSocketAddress(dir)) return { dir, configured: "../run", isShort: false };
  const name = `nexus-${createHash("sha256").update(home).digest("hex").slice(0, 16)}`;
  const short = join(shortRoot, name);
  const shortest = fitsSocketAddress(short) ? short : join("/tmp", name);
  return { dir: shortest, configured: shortest, isShort: true };
}

function fitsSocketAddress(dir: string): boolean {
  // Postgres makes the lock file beside the socket; only the socket's own name is an address.
  return Buffer.byteLength(join(dir, SOCKET_FILE)) <= SOCKET_PATH_BYTES_MAX;
}
