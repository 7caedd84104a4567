import postgres, { type Sql } from "postgres";

/** "NXSC". One number for all releases: only one process plans. */
const LOCK_KEY = 0x4e585343;
const RELEASE_TIMEOUT_S = 1;

/**
 * Tries to become the one that plans, on a connection that does nothing else: the lock lives as long as it does. Not on one
 * that the pool lends: such a one that broke cannot be asked or given back without harm (postgres 3.4 throws out of a timer).
 * @param onLost the connection broke, and with it the right.
 * @returns null when another process plans.
 */
export async function holdSchedulerLock(sql: Sql, onLost: () => void): Promise<SchedulerLock | null> {
  let isHeld = false;
  let isClosed = false;
  const onclose = () => {
    isClosed = true;
    if (!isHeld) return;
    isHeld = false;
    onLost();
  };
  // Options that were read once have types of their own, though `postgres` takes them as they are.
  const alone = postgres({ ...(sql.options as object), max: 1, idle_timeout: 0, max_lifetime: 0, onclose });
  const end = async () => {
    isHeld = false;
    await alone.end({ timeout: RELEASE_TIMEOUT_S });
  };
  try {
    const [row] = await alone<{ held: boolean }[]>`select pg_try_advisory_lock(${LOCK_KEY}::bigint) as held`;
    isHeld = row?.held === true && !isClosed;
    if (isHeld) return { isHeld: () => isHeldBy(alone), release: end };
  } catch (error) {
    await end();
    throw error;
  }
  await end();
  return null;
}

export type SchedulerLock = {
  /** Asks: a connection that broke silently is found only so. */
  isHeld(): Promise<boolean>;
  release(): Promise<void>;
};

async function isHeldBy(alone: Sql): Promise<boolean> {
  const [row] = await alone<{ held: boolean }[]>`
    select exists (
      select 1 from pg_locks
      where locktype = 'advisory' and pid = pg_backend_pid() and granted and objsubid = 1
        and classid = 0 and objid = ${LOCK_KEY}::bigint::oid
        and database = (select oid from pg_database where datname = current_database())
    ) as held`.catch(() => []);
  return row?.held ?? false;
}
