import type { Sql } from "postgres";
import type { ControlPlaneName } from "./begin-epoch.ts";

export type ActiveControlPlane = ControlPlaneName & { epoch: number; sinceMs: number };

/** The one that became active last; null on a database that none was ever active on. */
export async function findControlPlane(sql: Sql): Promise<ActiveControlPlane | null> {
  const [table] = await sql`select to_regclass('control_plane') is not null as is_there`;
  if (!table?.is_there) return null;
  const [row] = await sql<ActiveControlPlane[]>`
    select epoch::float8 as epoch, host, pid, url, home,
      round(extract(epoch from since) * 1000)::float8 as "sinceMs"
    from control_plane`;
  return row ?? null;
}
