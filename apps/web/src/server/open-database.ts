import type { DatabaseAddress } from "./db/client.ts";
import { startEmbeddedPostgres } from "./db/embedded/start-embedded-postgres.ts";
import { withConnection } from "./db/with-connection.ts";
import type { Env } from "./env.ts";
import { refuseForgottenDatabase } from "./home-database.ts";
import type { Log } from "./logger/create-logger.ts";

export type OpenDatabase = {
  address: DatabaseAddress;
  /** This process made it and nobody else uses it: it migrates it. */
  isOwn: boolean;
  /** Settles when an embedded server ends by itself; never for a Postgres elsewhere. */
  ended: Promise<void>;
  close(): Promise<void>;
};

/** The database of this home: the embedded one is started, and owns the home; one by URL is only named. */
export async function openDatabase(env: Env, log: Log): Promise<OpenDatabase> {
  const { NEXUS_HOME: home, DATABASE_URL: url } = env;
  if (url !== undefined) {
    await withConnection({ url }, (sql) => sql`select 1`);
    return {
      address: { url },
      isOwn: false,
      ended: new Promise(() => undefined),
      close: async () => undefined,
    };
  }
  await refuseForgottenDatabase(home);
  const embedded = await startEmbeddedPostgres({
    home,
    log: (text) => log("info", text),
    shortRoot: env.XDG_RUNTIME_DIR,
  });
  const { socketDir, user, database, ended } = embedded;
  return { address: { socketDir, user, database }, isOwn: true, ended, close: () => embedded.stop() };
}
