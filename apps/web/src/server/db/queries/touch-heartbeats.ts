import { sql } from "drizzle-orm";
import type { Database } from "../database.ts";
import { target, targetHeartbeat } from "../schema/target.ts";

/** One statement for all nodes that were heard of; targets that are gone are left out. */
export async function touchHeartbeats(db: Database, targetIds: number[]): Promise<void> {
  if (targetIds.length === 0) return;
  const ids = sql.join(
    targetIds.map((id) => sql`${id}`),
    sql`, `,
  );
  await db.execute(sql`
    insert into ${targetHeartbeat} (target_id, last_seen_at)
    select id, now() from ${target} where id in (${ids}) order by id
    on conflict (target_id) do update set last_seen_at = excluded.last_seen_at`);
}
