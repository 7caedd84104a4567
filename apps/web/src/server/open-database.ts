import { join } from "node:path";
import { type Client, createDb, type DatabaseAddress } from "./db/client.ts";
import { takeOwnerLock } from "./db/embedded/owner-lock.ts";
import { startEmbeddedPostgres } from "./db/embedded/start-embedded-postgres.ts";
import { checkMigrated, migrate } from "./db/migrate.ts";
import type { Env } from "./env.ts";
import type { Log } from "./logger/create-logger.ts";

export type OpenDatabase = {
  address: DatabaseAddress;
  /** Settles when an embedded server ends by itself; never for a Postgres elsewhere. */
  ended: Promise<void>;
  close(): Promise<void>;
};

/** The database of this home: the embedded one is started, one by URL is only named. Either way the home has one owner. */
export async function openDatabase(env: Env, log: Log): Promise<OpenDatabase> {
  const { NEXUS_HOME: home, DATABASE_URL: url } = env;
  if (url !== undefined) {
    const lock = await takeOwnerLock(join(home, "owner.lock"), "a Nexus control plane");
    return { address: { url }, ended: new Promise(() => undefined), close: async () => lock.release() };
  }
  const embedded = await startEmbeddedPostgres({
    home,
    log: (text) => log("info", text),
    shortRoot: env.XDG_RUNTIME_DIR,
  });
  const { socketDir, user, database, ended } = embedded;
  return { address: { socketDir, user, database }, ended, close: () => embedded.stop() };
}

/**
 * A home's own database is migrated by whoever opens it. One that several replicas share is migrated by the `migrate`
 * command alone, and a boot only checks.
 */
export async function connectMigrated(
  opened: OpenDatabase,
  env: Env,
  options: { folder: string; log: Log },
): Promise<Client> {
  const { folder, log } = options;
  const steps = { address: opened.address, folder, log: (text: string) => log("info", text) };
  if (env.DATABASE_URL === undefined || env.NEXUS_UP) await migrate(steps);
  else await checkMigrated(steps);
  return createDb(opened.address);
}
