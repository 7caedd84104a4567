import { drizzle } from "drizzle-orm/postgres-js";
import postgres from "postgres";
import type { Database } from "./database.ts";
import { hostInQuery } from "./host-in-query.ts";

/** Where the database is: any Postgres by URL, or the embedded one by its socket (a URL cannot name a socket). */
export type DatabaseAddress = { url: string } | { socketDir: string; user: string; database: string };

export type Client = {
  db: Database;
  sql: postgres.Sql;
  /** Lets running statements end, refuses new ones. */
  close(): Promise<void>;
  /** The database is gone: whoever waits for it is refused at once. */
  giveUp(): void;
};

/** One process is one Node thread; more connections only queue in Postgres. */
const CONNECTIONS_MAX = 10;
/** A new backend costs a fork and ≈ 5 ms, an idle one ≈ 3 MB: kept through pauses, given back over night. */
const IDLE_CLOSE_S = 600;
const CONNECT_TIMEOUT_S = 10;
/** No statement of ours runs for seconds on a healthy database; a stuck one must not hold its rows and its place. */
const STATEMENT_TIMEOUT_MS = 30_000;
const LOCK_WAIT_MS = 10_000;
const IDLE_IN_TRANSACTION_MS = 30_000;
/** Statements that still run after this are cut off when we close. */
const CLOSE_TIMEOUT_S = 5;

/**
 * @param epoch of the control plane that writes: once another is active, Postgres refuses its statements. Commands that
 * a person runs have none.
 */
export function createDb(address: DatabaseAddress, epoch?: number): Client {
  const sql = connect(address, {
    max: CONNECTIONS_MAX,
    idle_timeout: IDLE_CLOSE_S,
    connection: {
      application_name: "nexus",
      statement_timeout: STATEMENT_TIMEOUT_MS,
      lock_timeout: LOCK_WAIT_MS,
      idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_MS,
      ...(epoch === undefined ? {} : { "nexus.epoch": String(epoch) }),
    },
  });
  return {
    db: drizzle({ client: sql }),
    sql,
    close: () => sql.end({ timeout: CLOSE_TIMEOUT_S }),
    giveUp: () => void sql.end({ timeout: 0 }),
  };
}

export type ConnectOptions = Pick<
  postgres.Options<Record<string, never>>,
  "max" | "idle_timeout" | "connection"
>;

export function connect(address: DatabaseAddress, options: ConnectOptions): postgres.Sql {
  const common = { ...options, connect_timeout: CONNECT_TIMEOUT_S, onnotice: () => undefined };
  if ("url" in address) {
    const elsewhere = hostInQuery(address.url);
    return elsewhere
      ? postgres(elsewhere.url, { ...common, host: elsewhere.host })
      : postgres(address.url, common);
  }
  return postgres({ ...common, host: address.socketDir, user: address.user, database: address.database });
}
