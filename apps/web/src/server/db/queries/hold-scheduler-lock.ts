import type { Sql } from "postgres";

/** "NXSC". One number for all releases: only one process plans. */
const LOCK_KEY = 0x4e585343;

/**
 * Tries to become the one that plans, on a connection that does nothing else: the lock lives as long as it does.
 * @returns null when another process plans.
 */
export async function holdSchedulerLock(sql: Sql): Promise<SchedulerLock | null> {
  const connection = await sql.reserve();
  try {
    const [row] = await connection<
      { held: boolean }[]
    >`select pg_try_advisory_lock(${LOCK_KEY}::bigint) as held`;
    if (!row?.held) {
      connection.release();
      return null;
    }
  } catch (error) {
    connection.release();
    throw error;
  }
  return {
    async isHeld() {
      const [row] = await connection<{ held: boolean }[]>`
        select exists (
          select 1 from pg_locks
          where locktype = 'advisory' and pid = pg_backend_pid() and granted and objsubid = 1
            and classid = 0 and objid = ${LOCK_KEY}::bigint::oid
        ) as held`.catch(() => []);
      return row?.held ?? false;
    },
    async release() {
      await connection`select pg_advisory_unlock(${LOCK_KEY}::bigint)`.catch(() => undefined);
      connection.release();
    },
  };
}

export type SchedulerLock = {
  /** False when the connection broke meanwhile. */
  isHeld(): Promise<boolean>;
  release(): Promise<void>;
};
