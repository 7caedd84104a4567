import type { Sql } from "postgres";

export type ControlPlaneName = { host: string; pid: number; url: string; home: string };

/** "NXFR", the number in the function `nexus_fence`. */
const FENCE_KEY = 0x4e584652;
/** What another one has under way may end by itself: transactions of ours take milliseconds. */
const PATIENCE_MS = 1_000;
const CUT_WAIT_MS = 10_000;
const LOCK_NOT_AVAILABLE = "55P03";

/**
 * From its commit on no control plane before us commits anything. What one of them still has under way is cut off: it has
 * lost the right, and may be a machine that is not there any more. Called on the connection that holds the active lock.
 */
export async function beginEpoch(alone: Sql, self: ControlPlaneName): Promise<number> {
  try {
    return await writeEpoch(alone, self, PATIENCE_MS);
  } catch (cause) {
    if ((cause as { code?: unknown }).code !== LOCK_NOT_AVAILABLE) throw cause;
  }
  await alone`
    select pg_terminate_backend(pid) from pg_locks
    where locktype = 'advisory' and objsubid = 1 and classid = 0 and objid = ${FENCE_KEY}::bigint::oid
      and pid <> pg_backend_pid() and database = (select oid from pg_database where datname = current_database())`;
  return await writeEpoch(alone, self, CUT_WAIT_MS);
}

async function writeEpoch(alone: Sql, self: ControlPlaneName, waitMs: number): Promise<number> {
  return await alone.begin(async (tx) => {
    await tx`select set_config('lock_timeout', ${String(waitMs)}, true)`;
    await tx`select pg_advisory_xact_lock(${FENCE_KEY}::bigint)`;
    const [row] = await tx<{ epoch: number }[]>`
      insert into control_plane (id, epoch, host, pid, url, home, since)
      values (1, 1, ${self.host}, ${self.pid}, ${self.url}, ${self.home}, now())
      on conflict (id) do update set epoch = control_plane.epoch + 1, host = excluded.host, pid = excluded.pid,
        url = excluded.url, home = excluded.home, since = excluded.since
      returning epoch::float8 as epoch`;
    if (!row) throw new Error("the epoch was not written");
    return row.epoch;
  });
}
