import postgres, { type Sql } from "postgres";

/** "NXSC". One number for all releases: only one control plane is active on a database. */
const LOCK_KEY = 0x4e585343;
const RELEASE_TIMEOUT_S = 1;
/** A machine that went without a word is forgotten after this: Postgres then ends its session, and with it the lock. */
const DEAD_PEER = { tcp_keepalives_idle: 5, tcp_keepalives_interval: 3, tcp_keepalives_count: 3 };

export type ActiveLock = {
  /** The connection that has the lock: what commits on it was committed while it was held. */
  readonly sql: Sql;
  /** Asks: a connection that broke silently is found only so. */
  isHeld(): Promise<boolean>;
  release(): Promise<void>;
};

/**
 * Tries to become the one that is active, on a connection that does nothing else: the lock lives as long as it does. Not on
 * one that the pool lends: such a one that broke cannot be asked or given back without harm (postgres 3.4 throws out of a timer).
 * @param onLost the connection broke, and with it the right.
 * @returns null when another control plane is active.
 */
export async function holdActiveLock(sql: Sql, onLost: () => void): Promise<ActiveLock | null> {
  let isHeld = false;
  let isClosed = false;
  const onclose = () => {
    isClosed = true;
    if (!isHeld) return;
    isHeld = false;
    onLost();
  };
  // Options that were read once have types of their own, though `postgres` takes them as they are.
  const given = sql.options as object & { connection: object };
  const connection = { ...given.connection, ...DEAD_PEER };
  const alone = postgres({ ...given, connection, max: 1, idle_timeout: 0, max_lifetime: 0, onclose });
  const end = async () => {
    isHeld = false;
    await alone.end({ timeout: RELEASE_TIMEOUT_S });
  };
  try {
    const [row] = await alone<{ held: boolean }[]>`select pg_try_advisory_lock(${LOCK_KEY}::bigint) as held`;
    isHeld = row?.held === true && !isClosed;
    if (isHeld) return { sql: alone, isHeld: () => isHeldBy(alone), release: end };
  } catch (error) {
    await end();
    throw error;
  }
  await end();
  return null;
}

/** Whether any control plane has the lock now. */
export async function isActiveLockTaken(sql: Sql): Promise<boolean> {
  const [row] = await sql<{ taken: boolean }[]>`
    select exists (${locksOf(sql)}) as taken`;
  return row?.taken ?? false;
}

async function isHeldBy(alone: Sql): Promise<boolean> {
  const [row] = await alone<{ held: boolean }[]>`
    select exists (${locksOf(alone)} and pid = pg_backend_pid()) as held`.catch(() => []);
  return row?.held ?? false;
}

function locksOf(sql: Sql) {
  return sql`
    select 1 from pg_locks
    where locktype = 'advisory' and granted and objsubid = 1 and classid = 0 and objid = ${LOCK_KEY}::bigint::oid
      and database = (select oid from pg_database where datname = current_database())`;
}
